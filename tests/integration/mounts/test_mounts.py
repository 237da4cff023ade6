"""Root file systems on a real kernel: shared, private, idempotent, swept, and gone at the end."""

from __future__ import annotations

import os
import stat
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest

from runtime.linux import mount as linux
from stacker.base.errors import Corrupt, NotFound
from stacker.drivers.mounts import Method, Mounts, Way
from stacker.drivers.mounts.context import unmount
from stacker.drivers.mounts.overlay import SETTINGS, _classic, mount_overlay
from stacker.drivers.mounts.table import read_table
from stacker.oci import whiteout
from stacker.oci.erofs.nodes import Attributes, Directory
from stacker.oci.erofs.writer import Writer

pytestmark = pytest.mark.root

FILE = stat.S_IFREG | 0o644
KERNELS = {
    "this kernel": (tuple(Method), tuple(Way)),
    "5.10": ((Method.LOOP,), (Way.CLASSIC,)),
}
ROOT = Attributes(mode=stat.S_IFDIR | 0o755)
IMPLIED = Attributes(mode=stat.S_IFDIR | 0o755, xattrs={whiteout.IMPLIED: b""})


class Buffer(bytearray):
    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.extend(data)

    def skip(self, size: int) -> None:
        self.extend(bytes(size))

    def patch(self, offset: int, data: bytes) -> None:
        self[offset : offset + len(data)] = data


def image(path: Path, files: dict[str, bytes], root: Attributes = ROOT) -> Path:
    buffer = Buffer()
    writer = Writer(buffer)
    top = Directory(root, None, listed=True)
    for name, content in files.items():
        top.children[name.encode()] = writer.add(Attributes(mode=FILE), content=content)
    writer.finish(top, bytes(16))
    path.write_bytes(buffer)
    return path


@pytest.fixture(autouse=True)
def _no_mount_is_left(tmp_path: Path) -> Iterator[None]:
    yield
    left = read_table(tmp_path)
    for mounted in reversed(left):
        unmount(mounted.target)
    assert left == []


def backing_file(source: str) -> str:
    """EROFS mounts a file as it is since Linux 6.12, and through a loop device before that."""
    if not source.startswith("/dev/loop"):
        return source
    return Path("/sys/block", Path(source).name, "loop/backing_file").read_text().strip()


class Host:
    """A run directory, and containers by name."""

    def __init__(self, base: Path, kernel: str = "this kernel") -> None:
        self.base = base
        self.run = base / "run"
        methods, ways = KERNELS[kernel]
        self.mounts = Mounts(self.run, methods=methods, ways=ways)

    def target(self, name: str) -> Path:
        return self.run / "rootfs" / name

    async def mount(self, name: str, *layers: Path) -> Path:
        await self.mounts.mount_rootfs(
            name,
            layers,
            upper=self.base / name / "upper",
            work=self.base / name / "work",
            target=self.target(name),
        )
        return self.target(name)

    def mounted(self, filesystem: str) -> list[str]:
        found = [each.source for each in read_table(self.run) if each.filesystem == filesystem]
        return [backing_file(source) for source in found]


@pytest.fixture(params=KERNELS)
async def host(request: pytest.FixtureRequest, tmp_path: Path) -> Host:
    """Every test once as this kernel can, and once as an old one would do it."""
    return Host(tmp_path, request.param)


async def test_layers_are_stacked_and_shared(host: Host, tmp_path: Path) -> None:
    one = image(tmp_path / "one", {"a": b"1", "b": b"1"})
    two = image(tmp_path / "two", {"b": b"2"})
    first = await host.mount("c1", one, two)
    second = await host.mount("c2", one, two)
    assert ((first / "a").read_bytes(), (first / "b").read_bytes()) == (b"1", b"2")
    (first / "b").write_bytes(b"mine")
    (first / "a").unlink()
    assert sorted(os.listdir(second)) == ["a", "b"]
    assert (second / "b").read_bytes() == b"2"
    assert sorted(os.listdir(host.base / "c1" / "upper")) == ["a", "b"]
    assert sorted(host.mounted("erofs")) == sorted(map(str, (one, two)))

    await host.mounts.unmount_rootfs(first)
    assert not first.exists()
    assert len(host.mounted("erofs")) == 2, "c2 still needs them"
    await host.mounts.unmount_rootfs(second)
    assert host.mounted("erofs") == []
    await host.mounts.unmount_rootfs(second)
    assert os.listdir(host.run / "layers") == []
    await host.mounts.close()


async def test_mounting_again_changes_nothing(host: Host, tmp_path: Path) -> None:
    layer = image(tmp_path / "layer", {"a": b"1"})
    target = await host.mount("c", layer)
    (target / "written").write_bytes(b"x")
    before = target.stat().st_dev
    await host.mount("c", layer)
    again = Host(host.base)
    await again.mount("c", layer)
    assert (target / "written").read_bytes() == b"x"
    assert target.stat().st_dev == before
    await host.mount("c", layer, image(tmp_path / "other", {"b": b"2"}))
    assert sorted(os.listdir(target)) == ["a", "b", "written"]
    assert len(host.mounted("overlay")) == 1
    await host.mounts.sweep([])
    await host.mounts.close()


async def test_fifty_containers_at_once_share_one_layer(host: Host, tmp_path: Path) -> None:
    layer = image(tmp_path / "layer", {"a": b"1"})
    async with anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(host.mount, f"c{number}", layer)
    assert len(host.mounted("overlay")) == 50
    assert host.mounted("erofs") == [str(layer)]
    async with anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(host.mounts.unmount_rootfs, host.target(f"c{number}"))
    await host.mounts.close()


async def test_sweep_keeps_what_is_needed_and_what_is_not_ours(host: Host, tmp_path: Path) -> None:
    shared, alone = image(tmp_path / "shared", {}), image(tmp_path / "alone", {})
    kept = await host.mount("kept", shared)
    lost = await host.mount("lost", shared, alone)
    secrets = host.run / "secrets"
    secrets.mkdir()
    linux.mount("tmpfs", str(secrets), "tmpfs")
    (host.run / "layers" / "stray").mkdir()

    await Mounts(host.run).sweep({kept})

    assert host.mounted("erofs") == [str(shared)]
    assert len(host.mounted("overlay")) == 1
    assert kept.is_mount()
    assert secrets.is_mount()
    assert not lost.exists()
    assert len(os.listdir(host.run / "layers")) == 1
    await host.mounts.close()
    assert read_table(host.run)[0].target == host.run, "something is still mounted below"
    await host.mounts.sweep([])
    unmount(secrets)
    await host.mounts.close()
    assert read_table(host.run) == []


async def test_a_busy_root_file_system_goes_all_the_same(host: Host, tmp_path: Path) -> None:
    target = await host.mount("c", image(tmp_path / "layer", {"a": b"1"}))
    busy = os.open(target / "a", os.O_RDONLY)
    await host.mounts.unmount_rootfs(target)
    assert os.read(busy, 9) == b"1"
    os.close(busy)
    assert host.mounted("overlay") == []
    await host.mounts.close()


async def test_no_other_namespace_sees_the_mounts(host: Host, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    linux.mount(str(shared), str(shared), None, linux.MS_BIND)
    # a peer group of its own: systemd shares the root, whose peer the bind mount would be
    linux.mount(None, str(shared), None, linux.MS_PRIVATE)
    linux.mount(None, str(shared), None, linux.MS_SHARED)
    other = Host(shared)
    with subprocess.Popen(  # noqa: ASYNC220
        ["unshare", "--mount", "--propagation", "slave", "sh", "-c",
         "echo ready; read _; cat /proc/self/mountinfo"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        await other.mount("c", image(tmp_path / "layer", {}))
        seen, _ = process.communicate(b"\n", timeout=10)
    assert str(other.run / "layers").encode() not in seen
    assert str(other.run / "rootfs").encode() not in seen
    assert all(each.private for each in read_table(other.run))
    await other.mounts.sweep([])
    await other.mounts.close()
    unmount(shared)


async def test_the_root_directory_is_the_highest_listed_one(host: Host, tmp_path: Path) -> None:
    parts = ((1, 7, -1), (2, 4, 1000), (4, 5, -1), (16, 5, -1), (32, 1, -1))
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *part) for part in parts)
    listed = Attributes(
        mode=stat.S_IFDIR | 0o1751,
        uid=12,
        gid=34,
        mtime_ns=5 * 10**9 + 7,
        xattrs={b"user.note": b"n", b"system.posix_acl_access": acl},
    )
    lower = image(tmp_path / "lower", {}, Attributes(mode=stat.S_IFDIR | 0o700))
    middle = image(tmp_path / "middle", {}, listed)
    target = await host.mount("c", lower, middle, image(tmp_path / "top", {"f": b""}, IMPLIED))
    found = target.stat()
    assert (found.st_mode, found.st_uid, found.st_gid) == (listed.mode, 12, 34)
    assert found.st_mtime_ns == listed.mtime_ns
    assert os.getxattr(target, "user.note") == b"n"
    assert os.getxattr(target, "system.posix_acl_access") == acl
    assert not [name for name in os.listxattr(target) if name.startswith("trusted.overlay")]

    os.chmod(target, 0o500)
    await host.mounts.unmount_rootfs(target)
    await host.mount("c", lower, middle)
    assert stat.S_IMODE(target.stat().st_mode) == 0o500, "what the container did stays"

    bare = await host.mount("bare", image(tmp_path / "bare.erofs", {}, IMPLIED))
    assert stat.S_IMODE(bare.stat().st_mode) == 0o755
    await host.mounts.sweep([])
    await host.mounts.close()


async def test_an_image_without_layers(host: Host) -> None:
    target = await host.mount("c")
    (target / "f").write_bytes(b"x")
    assert os.listdir(target) == ["f"]
    await host.mounts.unmount_rootfs(target)
    await host.mounts.close()


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("length", [1, 60])
async def test_many_layers_and_long_paths(tmp_path: Path, length: int, kernel: str) -> None:
    """Paths over 255 bytes do not fit fsconfig, many do not fit the options of mount(2); neither
    are then named in the mount table."""
    base = tmp_path / ("long" * length) / ("path" * length)
    base.mkdir(parents=True)
    host = Host(base, kernel)
    layers = [image(base / f"{number}", {f"f{number}": b""}) for number in range(130)]
    target = await host.mount("c", *layers)
    assert len(os.listdir(target)) == 130
    before = target.stat().st_dev
    await host.mount("c", *layers)
    assert target.stat().st_dev == before
    second = await host.mount("d", *layers)
    await host.mounts.unmount_rootfs(target)
    assert len(host.mounted("erofs")) == 130
    await host.mounts.unmount_rootfs(second)
    assert host.mounted("erofs") == []
    await host.mounts.close()


@pytest.mark.parametrize("way", Way)
def test_as_many_layers_as_overlayfs_can_stack(tmp_path: Path, way: Way) -> None:
    lowers = [tmp_path / "layers" / f"{number:032}" for number in range(500)]
    for lower in lowers:
        lower.mkdir(parents=True)
        (lower / lower.name).touch()
    upper, work, target = (tmp_path / name for name in ("upper", "work", "target"))
    for directory in (upper, work, target):
        directory.mkdir()
    # before Linux 6.8 there is one way only, which the other falls back to
    mount_overlay(lowers, upper=upper, work=work, target=target, ways=(way, Way.CLASSIC))
    try:
        assert len(os.listdir(target)) == 500
    finally:
        unmount(target)


@pytest.mark.parametrize("name", ["plain", "odd:,\\ name", "long" * 50])
def test_the_classic_mount_call(tmp_path: Path, name: str) -> None:
    """The way of kernels before 6.8, with paths that its options cannot hold."""
    base = tmp_path / name
    lowers = [base / f"l{number}" for number in range(40)]
    for lower in lowers:
        lower.mkdir(parents=True)
        (lower / lower.name).touch()
    for directory in ("upper", "work", "target"):
        (base / directory).mkdir()
    _classic(lowers, base / "upper", base / "work", base / "target", SETTINGS)
    try:
        assert len(os.listdir(base / "target")) == 40
    finally:
        unmount(base / "target")


async def test_layers_on_a_file_system_that_cannot_back_a_mount(tmp_path: Path) -> None:
    """tmpfs: the kernel wants a block device there, and gets a loop device."""
    devices = set(loop_devices())
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="stacker-") as memory:
        layer = image(Path(memory) / "layer", {"a": b"1"})
        host = Host(tmp_path)
        assert await host.mounts.probe(Path(memory)) is Method.LOOP
        target = await host.mount("c", layer)
        assert (target / "a").read_bytes() == b"1"
        assert await_loops(lambda now: now - devices != set())
        await host.mounts.unmount_rootfs(target)
        await host.mounts.close()
    assert await_loops(lambda now: now <= devices), "the loop device is let go"


def loop_devices() -> list[str]:
    return [
        name
        for name in os.listdir("/sys/block")
        if name.startswith("loop") and Path(f"/sys/block/{name}/loop").exists()
    ]


def await_loops(condition: Callable[[set[str]], bool]) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if condition(set(loop_devices())):
            return True
    return False


async def test_probe_finds_a_way_and_leaves_nothing(host: Host, tmp_path: Path) -> None:
    assert isinstance(await host.mounts.probe(tmp_path), Method)
    assert isinstance(await host.mounts.probe(), Method)
    await host.mounts.close()
    assert sorted(os.listdir(tmp_path)) == ["run"]
    assert os.listdir(host.run) == ["layers"]


async def test_what_is_no_image_is_refused(host: Host, tmp_path: Path) -> None:
    (tmp_path / "zeros").write_bytes(bytes(8192))
    with pytest.raises(Corrupt, match="not an EROFS image"):
        await host.mount("c", tmp_path / "zeros")
    with pytest.raises(NotFound, match="not there"):
        await host.mount("c", image(tmp_path / "good", {}), tmp_path / "missing")
    assert host.mounted("erofs") == []
    assert os.listdir(host.run / "rootfs") == []
    await host.mounts.close()


async def test_directories_are_closed_to_others(host: Host) -> None:
    await host.mounts.prepare()
    assert stat.S_IMODE(host.run.stat().st_mode) == 0o700
    assert stat.S_IMODE((host.run / "layers").stat().st_mode) == 0o700
    await host.mounts.close()
