"""Containers against the engine that runs them: rows R9, R11, R15 and F1 of docs/security.md."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from stacker.drivers.volumes.volumes import NamedVolumes
from stacker.stack.model.volume import Volume
from tests.support.supervisor import IMAGE, REPOSITORY, Stacker

pytestmark = [pytest.mark.root, pytest.mark.soak]
SOAK = bool(os.environ.get("STACKER_SOAK"))


def stat_of(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from `state` on (proc(5))."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def processor_s(pid: int) -> float:
    user, system = stat_of(pid)[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    return int(stat_of(pid)[21]) * os.sysconf("SC_PAGE_SIZE")


def descendants(pid: int) -> set[int]:
    found = {pid}
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found |= descendants(int(child))
    return found


def monitor_pid(stacker: Stacker) -> int:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes()
        except OSError:
            continue
        if b"runtime.monitor" in text and str(stacker.run).encode() in text:
            return int(path.parent.name)
    raise AssertionError("no monitor runs")


BASE = f"""
name: base
services:
  base:
    image: {IMAGE}
    command: [sleep, infinity]
    init: true
"""

# -- R9 -----------------------------------------------------------------------------------------

NEIGHBOURS = f"""
name: shop
services:
  web:
    image: {IMAGE}
    command: [sleep, infinity]
    init: true
  outside:
    image: {IMAGE}
    command: [sleep, infinity]
    network_mode: host
    init: true
"""


def sockets_of(pids: set[int]) -> set[str]:
    """Inodes of all sockets that these processes hold."""
    found: set[str] = set()
    for pid in pids:
        for path in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = os.readlink(path)
            except OSError:
                continue
            if inode := re.fullmatch(r"socket:\[(\d+)\]", target):
                found.add(inode[1])
    return found


def test_no_control_socket_is_in_reach(stacker: Stacker) -> None:
    """R9: no abstract socket of ours, and root on the host's network cannot reach the others."""
    stacker.up(NEIGHBOURS)
    ours = sockets_of({stacker.supervisor_pid(), *descendants(monitor_pid(stacker))})
    lines = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    bound = {fields[6]: fields[7] for fields in lines if len(fields) > 7}
    assert not [name for inode, name in bound.items() if inode in ours and name.startswith("@")]

    # bound by a path through a descriptor, so the table does not tell where they are
    paths = [path for path in stacker.run.rglob("*") if path.is_socket()]
    assert {path.name for path in paths} >= {"stacker.sock", "monitor.sock"}
    for path in paths:
        said = stacker("exec", "-T", "outside", "ls", str(path), str(path.parent))
        assert said.returncode != 0
        assert said.stdout == ""
    # it is root, and sees the very table that we have looked at
    seen = stacker.ok("exec", "-T", "outside", "sh", "-c", "cat /proc/net/unix; id -u")
    assert seen.splitlines()[-1] == "0"
    for line in seen.splitlines():
        name = line.split()[-1]
        assert not (name.startswith("@") and stacker.tag in name)


# -- R11 ----------------------------------------------------------------------------------------


def image_with(
    stacker: Stacker, busybox_tar: Path, tag: str, *members: tuple[tarfile.TarInfo, bytes]
) -> str:
    """Busybox's image with other files in the places of its own."""
    names = {info.name for info, _ in members}
    path = stacker.directory / f"{tag}.tar"
    with (
        tarfile.open(busybox_tar) as old,
        tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as new,
    ):
        for info in old:
            if info.name not in names:
                new.addfile(info, old.extractfile(info) if info.isreg() else None)
        for info, content in members:
            new.addfile(info, io.BytesIO(content))
    reference = f"stacker/{tag}:1"
    stacker.ok("import", "--change", "CMD sh", "--change", "ENV PATH=/bin", str(path), reference)
    path.unlink()
    return reference


def special(name: str, kind: bytes, link: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.mode = kind, link, size, 0o644
    return info


def passwd_files(canary: Path) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    many = b"x:x:1:1::/:\n" * (10**7 if SOAK else 10**6)
    return {
        "fifo": (special("etc/passwd", tarfile.FIFOTYPE), b""),
        "zero": (special("etc/passwd", tarfile.SYMTYPE, "/dev/zero"), b""),
        "host": (special("etc/passwd", tarfile.SYMTYPE, str(canary)), b""),
        "climb": (special("etc/passwd", tarfile.SYMTYPE, "../" * 30 + str(canary)[1:]), b""),
        "proc": (special("etc/passwd", tarfile.SYMTYPE, "/proc/1/root/etc/passwd"), b""),
        "lines": (special("etc/passwd", tarfile.REGTYPE, size=len(many)), many),
    }


@pytest.mark.parametrize("shape", ["fifo", "zero", "host", "climb", "proc", "lines"])
def test_the_images_passwd(stacker: Stacker, busybox_tar: Path, shape: str) -> None:
    """R11: looked up within a second and 32 MiB, or refused; never with the host's data."""
    canary = stacker.directory / "canary"
    canary.write_text("spy:x:4321:4321::/:/bin/sh\n")
    image = image_with(stacker, busybox_tar, shape, passwd_files(canary)[shape])
    stacker.up(BASE)
    refused_in_time(stacker, image)


def test_a_sparse_passwd(stacker: Stacker) -> None:
    """R11: 10 GiB without a block, made by the container, and looked at when it starts again."""
    stacker.up(BASE)
    stacker.ok("exec", "-T", "-p", "base", "base", "truncate", "-s", "10G", "/etc/passwd")
    pid = stacker.supervisor_pid()
    before, spent = resident_bytes(pid), processor_s(pid)
    done = stacker("restart", "-t", "0", "-p", "base", "base")
    assert "larger than" in done.stdout + done.stderr
    assert processor_s(pid) - spent < 1
    assert resident_bytes(pid) - before < 32 << 20


def refused_in_time(stacker: Stacker, image: str) -> None:
    pid = stacker.supervisor_pid()
    before, spent = resident_bytes(pid), processor_s(pid)
    text = f"name: shop\nservices:\n  web: {{image: '{image}', command: [id], user: spy}}\n"
    done = stacker("up", "-d", "--wait", str(stacker.write(text)), timeout=30)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "4321" not in said
    assert any(word in said for word in ("passwd", "no such user")), said
    assert processor_s(pid) - spent < 1
    assert resident_bytes(pid) - before < 32 << 20


# -- R15 ----------------------------------------------------------------------------------------


def test_copy_up_while_links_are_swapped(stacker: Stacker) -> None:
    """R15: new volumes are filled from a root that another process exchanges names in."""
    canary = stacker.directory / "canary"
    canary.mkdir()
    (canary / "secret").write_text("of the host")
    rounds = 200 if SOAK else 8
    stacker.up(BASE)
    # the copy itself, as the engine does it, from the root of the running container
    (rootfs,) = (stacker.run / "rootfs").iterdir()
    data = rootfs / "data"
    data.mkdir()
    (data / "file").write_text("of the image")
    (rootfs / "link").symlink_to(canary)
    program = (
        "import os,sys; sys.path.insert(0, sys.argv[3])\n"
        "from runtime.linux.libc import syscall\n"
        "number = 316 if os.uname().machine == 'x86_64' else 276\n"
        "one, other = (os.fsencode(path) for path in sys.argv[1:3])\n"
        "while True: syscall(number, -100, one, -100, other, 2)\n"
    )
    swapper = subprocess.Popen(
        [sys.executable, "-c", program, str(data), str(rootfs / "link"), str(REPOSITORY)]
    )
    named = NamedVolumes(stacker.directory / "volumes")
    named.prepare()
    try:
        for number in range(rounds):
            named.ensure(Volume(name=f"v{number}"), stack="s", key="v")
            named.fill(f"v{number}", str(rootfs), "/data")
    finally:
        swapper.kill()
        swapper.wait()
    for path in (stacker.directory / "volumes").rglob("*"):
        assert path.name != "secret"
        assert path.is_symlink() or not path.is_file() or "of the host" not in path.read_text()
    assert sorted(os.listdir(canary)) == ["secret"]


# -- subpaths -----------------------------------------------------------------------------------


def test_a_link_in_the_place_of_a_subpath(stacker: Stacker) -> None:
    """R3's kin, Kubernetes CVE-2017-1002101: a part of a volume that a container made a link."""
    canary = stacker.directory / "canary"
    canary.mkdir()
    (canary / "secret").write_text("of the host")
    script = (
        f"mkdir -p /data/plain /data/inside{canary}; echo good > /data/plain/file;"
        f"ln -s {canary} /data/out; ln -s plain /data/in; exec sleep infinity"
    )
    text = f"""
name: base
services:
  base:
    image: {IMAGE}
    command: [sh, -c, "{script}"]
    init: true
    volumes: [shared:/data]
    healthcheck: {{test: [CMD, test, -L, /data/in], interval: 100ms}}
volumes:
  shared: {{name: {stacker.tag}-shared}}
"""
    stacker.up(text)

    def mounted(subpath: str) -> subprocess.CompletedProcess[str]:
        one = f"""
name: other
services:
  other:
    image: {IMAGE}
    command: [ls, /data]
    restart: "no"
    volumes:
      - {{type: volume, source: shared, target: /data, volume: {{subpath: {subpath}}}}}
volumes:
  shared: {{name: {stacker.tag}-shared, external: true}}
"""
        done = stacker("up", str(stacker.write(one, "other.yaml")))
        stacker("down", "-p", "other")
        return done

    for subpath in ("plain", "in"):
        assert "file" in mounted(subpath).stdout
    out = mounted("out")
    assert "secret" not in out.stdout
    assert "subpath out of the volume: no such file or directory" in out.stdout + out.stderr
