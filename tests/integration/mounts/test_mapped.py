"""Root file systems with the ids of a container: owners inside, owners on the disk, and refusal."""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from runtime.linux import mount as linux
from runtime.linux.held_namespaces import user_namespace
from runtime.linux.namespaces import CLONE_NEWUSER, setns
from stacker.base.errors import Unsupported
from stacker.base.id_range import LAST_ID, IdRange
from stacker.drivers.mounts import Mounts, Way
from stacker.drivers.mounts.context import unmount
from stacker.drivers.mounts.table import read_table
from stacker.oci.erofs.nodes import Attributes, Directory
from stacker.oci.erofs.writer import Writer
from tests.integration.mounts.test_mounts import Buffer

pytestmark = pytest.mark.root

WAYS = {"this kernel": tuple(Way), "before 6.8": (Way.CLASSIC,)}
ONE, OTHER = IdRange(3_000_000_000, 65536), IdRange(3_100_000_000, 2000)
OVERFLOW = int(Path("/proc/sys/kernel/overflowuid").read_text())
FILES = {"plain": (0, 0o644), "private": (0, 0o600), "of-seven": (7, 0o640), "setuid": (0, 0o4755)}
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)  # cap_net_bind_service=ep


def erofs_layer(path: Path) -> Path:
    buffer = Buffer()
    writer = Writer(buffer)
    top = Directory(Attributes(mode=stat.S_IFDIR | 0o755), None, listed=True)
    for name, (owner, mode) in FILES.items():
        attributes = Attributes(mode=stat.S_IFREG | mode, uid=owner, gid=owner)
        top.children[name.encode()] = writer.add(attributes, content=name.encode())
    writer.finish(top, bytes(16))
    path.write_bytes(buffer)
    return path


def directory_layer(path: Path) -> Path:
    path.mkdir(mode=0o755)
    for name, (owner, mode) in FILES.items():
        file = path / name
        file.write_text(name)
        os.chown(file, owner, owner)
        file.chmod(mode)
    return path


@pytest.fixture(params=[erofs_layer, directory_layer])
def layer(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return request.param(tmp_path / "layer")


@pytest.fixture(params=WAYS)
def mounts(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mounts]:
    yield Mounts(tmp_path / "run", ways=WAYS[request.param])
    left = read_table(tmp_path)
    for mounted in reversed(left):
        unmount(mounted.target)
    assert left == []


async def mount(mounts: Mounts, base: Path, name: str, layer: Path, ids: IdRange | None) -> Path:
    target = base / "run" / name
    upper, work = base / name / "upper", base / name / "work"
    await mounts.mount_rootfs(name, [layer], upper=upper, work=work, target=target, ids=ids)
    return target


def inside(ids: IdRange, target: Path, what: object) -> None:
    """Do something as root of a container with these ids; its failure is ours."""
    namespace = user_namespace(ids.mappings)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.chdir(target)
            setns(namespace, CLONE_NEWUSER)
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)
            code = what() or 0  # type: ignore[operator]
        finally:
            os._exit(code)
    os.close(namespace)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def owners(place: Path) -> dict[str, int]:
    return {name: os.lstat(place / name).st_uid for name in sorted(os.listdir(place))}


async def test_each_sees_the_layer_as_its_own(mounts: Mounts, layer: Path, tmp_path: Path) -> None:
    erofs = stat.S_ISREG(os.stat(layer).st_mode)
    one = await mount(mounts, tmp_path, "one", layer, ONE)
    other = await mount(mounts, tmp_path, "other", layer, OTHER)
    plain = await mount(mounts, tmp_path, "plain", layer, None)
    for target, first in ((one, ONE.first), (other, OTHER.first), (plain, 0)):
        assert owners(target) == {name: first + owner for name, (owner, _) in FILES.items()}
        assert os.stat(target).st_uid == first
        assert os.stat(target / "setuid").st_mode & 0o7777 == 0o4755
    if erofs:
        # one mount of the layer, and none beside it: the mapped ones are the overlays' own
        kinds = [each.filesystem for each in read_table(tmp_path / "run")]
        assert (kinds.count("erofs"), kinds.count("overlay"), len(kinds)) == (1, 3, 5)
    for target in (one, other, plain):
        await mounts.unmount_rootfs(target)
    await mounts.close()


async def test_what_it_writes_lies_on_the_disk_as_inside(
    mounts: Mounts, layer: Path, tmp_path: Path
) -> None:
    target = await mount(mounts, tmp_path, "one", layer, ONE)

    def write() -> None:
        assert os.stat("private").st_uid == os.stat(".").st_uid == 0
        Path("new").write_text("new")
        os.chown("new", 8, 9)
        with open("private", "a") as file:
            file.write(" and more")
        os.chown("plain", 65535, 0)
        os.unlink("of-seven")
        os.mkdir("directory", 0o700)
        os.setxattr("new", "security.capability", CAPABILITY)

    inside(ONE, target, write)
    upper = tmp_path / "one/upper"
    assert owners(upper) == {
        "directory": 0, "new": 8, "of-seven": LAST_ID, "plain": 65535, "private": 0,
    }  # fmt: skip
    assert stat.S_ISCHR(os.lstat(upper / "of-seven").st_mode), "a whiteout, which nobody owns"
    assert (upper / "private").read_text() == "private and more"
    # of version 3 with the container's root on a mount, and of that root, 0, on the disk
    on_disk = os.getxattr(upper / "new", "security.capability")
    assert on_disk == CAPABILITY or struct.unpack("<6I", on_disk)[5] == 0
    assert owners(target)["new"] == ONE.first + 8

    # a range is not for ever: the files are the same for whoever has them next
    await mounts.unmount_rootfs(target)
    target = await mount(mounts, tmp_path, "one", layer, OTHER)
    seen = owners(target)
    assert seen.pop("plain") == OVERFLOW, "65535 is not among the 2000"
    assert seen == {
        "directory": OTHER.first, "new": OTHER.first + 8, "private": OTHER.first,
        "setuid": OTHER.first,
    }  # fmt: skip
    await mounts.unmount_rootfs(target)
    await mounts.close()


async def test_nobody_gets_at_the_files_of_another(
    mounts: Mounts, layer: Path, tmp_path: Path
) -> None:
    target = await mount(mounts, tmp_path, "one", layer, ONE)

    def attack() -> None:
        for act in (
            lambda: Path("private").read_bytes(),
            lambda: Path("plain").write_text("mine"),
            lambda: os.chown("plain", 0, 0),
            lambda: os.unlink("plain"),
            lambda: Path("new").touch(),
        ):
            with pytest.raises(OSError) as caught:  # noqa: PT011 one of three
                act()
            assert caught.value.errno in (errno.EACCES, errno.EPERM, errno.EOVERFLOW)

    inside(OTHER, target, attack)
    await mounts.unmount_rootfs(target)
    await mounts.close()


async def test_mounting_again_changes_nothing(mounts: Mounts, layer: Path, tmp_path: Path) -> None:
    target = await mount(mounts, tmp_path, "one", layer, ONE)
    before = target.stat().st_dev
    await mount(Mounts(tmp_path / "run"), tmp_path, "one", layer, ONE)
    assert target.stat().st_dev == before
    await mounts.sweep([])
    await mounts.close()


async def test_many_at_once(mounts: Mounts, layer: Path, tmp_path: Path) -> None:
    found: dict[int, int] = {}

    async def one(number: int) -> None:
        ids = IdRange(ONE.first + number * 65536, 65536)
        target = await mount(mounts, tmp_path, f"c{number}", layer, ids)
        found[number] = os.stat(target / "plain").st_uid - ids.first

    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(one, number)
    assert found == dict.fromkeys(range(20), 0)
    await mounts.sweep([])
    await mounts.close()


@pytest.mark.parametrize("erofs", [True, False])
async def test_this_host_can(mounts: Mounts, tmp_path: Path, erofs: bool) -> None:
    root = tmp_path / "root"
    root.mkdir()
    await mounts.check_id_maps(root, erofs=erofs)
    assert os.listdir(root) == []
    await mounts.close()


async def test_a_file_system_that_cannot_be_mapped_is_named(tmp_path: Path) -> None:
    """ramfs has no id-mapped mounts on any kernel."""
    root = tmp_path / "root"
    root.mkdir()
    linux.mount("ramfs", str(root), "ramfs")
    mounts = Mounts(tmp_path / "run")
    try:
        with pytest.raises(Unsupported, match=r"cannot map .*root.*no id-mapped mounts"):
            await mounts.check_id_maps(root, erofs=False)
        assert os.listdir(root) == []
        layer = directory_layer(tmp_path / "layer")
        with pytest.raises(Unsupported, match="no id-mapped mounts"):
            await mount(mounts, root, "one", layer, ONE)
    finally:
        unmount(root)
    await mounts.close()
    assert read_table(tmp_path) == []


async def test_more_layers_than_the_options_of_mount_have_room_for(
    mounts: Mounts, tmp_path: Path
) -> None:
    """Before Linux 6.8 they are named by descriptors, which are opened where the copies are."""
    layers = [directory_layer(tmp_path / f"{'long' * 20}{number}") for number in range(60)]
    upper, work, target = tmp_path / "c/upper", tmp_path / "c/work", tmp_path / "run/c"
    await mounts.mount_rootfs("c", layers, upper=upper, work=work, target=target, ids=ONE)
    assert owners(target) == {name: ONE.first + owner for name, (owner, _) in FILES.items()}
    await mounts.unmount_rootfs(target)
    await mounts.close()
