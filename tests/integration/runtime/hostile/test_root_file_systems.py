"""E1: root file systems whose files are traps, each started and each entered by `exec`.

Every place that a runtime touches, in every shape that it can have: a start fails cleanly, with an
error of one line and in time, or it stays inside; the witness outside sees nothing.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.integration.runtime.conftest import Bundle, make_rootfs
from tests.integration.runtime.hostile.conftest import SHAPES, Caller, Witness
from tests.integration.runtime.test_terminal import Console

pytestmark = pytest.mark.root

NODES = (
    "null", "zero", "full", "tty", "random", "urandom", "console", "ptmx", "pts", "shm", "own",
)  # fmt: skip
FILES = ("passwd", "group", "hosts", "resolv.conf", "hostname")
PLACES = (
    "proc", "sys", "dev", *(f"dev/{name}" for name in NODES),
    "etc", *(f"etc/{name}" for name in FILES), "tmp", "tmp/work", "data",
)  # fmt: skip
SCRIPT = "touch /data/inside /tmp/work/x /dev/x; cat /etc/passwd /etc/hosts >/dev/null; sleep 100"


def lay_trap(bundle: Bundle, canary: Path, place: str, shape: str) -> None:
    shutil.rmtree(bundle.rootfs, ignore_errors=True)
    make_rootfs(bundle.rootfs)
    path = bundle.rootfs / place
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    SHAPES[shape](path, canary)


def configure(bundle: Bundle, place: str) -> None:
    """As an engine does it: files of /etc and a volume are bound, the working directory is deep."""
    source = bundle.path / "source"
    source.mkdir()
    if place.startswith("dev/"):
        # nodes of the image count only where no tmpfs covers them
        bundle.config["mounts"] = [
            one for one in bundle.config["mounts"] if one["destination"] != "/dev"
        ]
    for name in ("hosts", "resolv.conf", "hostname"):
        (bundle.path / name).write_text("")
        bundle.config["mounts"].append(
            {"destination": f"/etc/{name}", "type": "bind", "source": name, "options": ["bind"]}
        )
    bundle.config["mounts"].append(
        {"destination": "/data", "type": "bind", "source": str(source), "options": ["bind"]}
    )
    bundle.config["linux"]["devices"] = [
        {"path": "/dev/own", "type": "c", "major": 1, "minor": 3, "uid": 7, "gid": 8,
         "fileMode": 0o640},
    ]  # fmt: skip
    bundle.config["linux"]["maskedPaths"] += ["/data/masked", "/etc/group", "/tmp/masked"]
    bundle.config["linux"]["readonlyPaths"] += ["/etc/passwd", "/data"]


@pytest.mark.parametrize("place", PLACES)
def test_a_start_fails_cleanly_or_stays_inside(
    call: Caller, bundle: Bundle, identity: str, canary: Path, witness: Witness, place: str
) -> None:
    """E1, R4, R7, R12: CVE-2024-45310, CVE-2025-31133, CVE-2026-41579, CVE-2026-47766, -88264."""
    configure(bundle, place)
    started = 0
    for shape in SHAPES:
        lay_trap(bundle, canary, place, shape)
        path = bundle.shell("touch /data/inside /tmp/work/x /dev/x", cwd="/tmp/work")
        call("run", "--bundle", path, identity)
        assert witness.happened() == [], (place, shape, "run")
        lay_trap(bundle, canary, place, shape)
        bundle.shell(SCRIPT, cwd="/")
        begun, entered = call.life(
            "--cwd", "/tmp/work", identity, "/bin/touch", "/dev/y", "/data/z"
        )
        assert witness.happened() == [], (place, shape, "exec")
        started += begun == 0 and entered is not None
    # else the traps would not have been reached
    assert started > 0


@pytest.mark.parametrize("place", ["dev", "dev/pts", "dev/ptmx", "dev/console"])
def test_a_terminal_is_the_containers_own_or_none(
    call: Caller, bundle: Bundle, identity: str, canary: Path, witness: Witness, place: str
) -> None:
    """R5, R7 (CVE-2025-52565, CVE-2026-88265): /dev/console and /dev/pts as traps."""
    configure(bundle, place)
    for shape in SHAPES:
        for covered in (True, False):
            lay_trap(bundle, canary, place, shape)
            if not covered:
                bundle.config["mounts"] = [
                    one for one in bundle.config["mounts"] if one["destination"] != "/dev/pts"
                ]
            bundle.shell("echo x > /dev/console", terminal=True)
            console = Console(bundle.path / "console")
            code, _ = call(
                "create", "--console-socket", console.path, "--bundle", str(bundle.path), identity
            )
            if code == 0:
                master = console.master()
                call("start", identity)
                call.end(call.pid())
                os.close(master)
            else:
                console.close()
            os.unlink(console.path)
            assert witness.happened() == [], (place, shape, covered)


@pytest.mark.parametrize("name", ["null", "own", "pipe"])
def test_owner_and_mode_are_given_to_the_node_that_was_made(
    call: Caller, bundle: Bundle, identity: str, canary: Path, witness: Witness, name: str
) -> None:
    """R16 (CVE-2021-32760, CVE-2021-41089): a hard link or a link of the image in its place."""
    bundle.config["mounts"] = [one for one in bundle.config["mounts"] if "dev" not in one["type"]]
    bundle.config["mounts"] = [
        one for one in bundle.config["mounts"] if not one["destination"].startswith("/dev")
    ]
    bundle.config["linux"]["devices"] = [
        {"path": f"/dev/{name}", "type": "p" if name == "pipe" else "c", "major": 1, "minor": 3,
         "uid": 7, "gid": 8, "fileMode": 0o666},
    ]  # fmt: skip
    trap = bundle.rootfs / "dev" / name
    path = bundle.write("/bin/true")
    trap.symlink_to(canary / "file")
    assert call("run", "--bundle", path, identity)[0] == 1
    assert trap.is_symlink()
    trap.unlink()
    decoy = bundle.path / "decoy"
    decoy.write_text("")
    decoy.chmod(0o600)
    trap.hardlink_to(decoy)
    assert call("run", "--bundle", path, identity)[0] == 1
    assert (decoy.stat().st_uid, decoy.stat().st_mode & 0o7777) == (0, 0o600)
    trap.unlink()
    for _ in range(2):  # the second time it is there
        assert call("run", "--bundle", path, identity)[0] == 0
        status = trap.lstat()
        assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (7, 8, 0o666)
    assert witness.happened() == []


def test_masks_are_made_of_the_hosts_null_device(
    call: Caller, bundle: Bundle, identity: str, witness: Witness
) -> None:
    """R4 (CVE-2025-31133, CVE-2025-62161): the container's /dev/null as what masks are made of."""
    bundle.config["mounts"] = [
        one for one in bundle.config["mounts"] if not one["destination"].startswith("/dev")
    ]
    bundle.config["linux"]["maskedPaths"] = ["/proc/keys", "/proc/uptime"]
    null = bundle.rootfs / "dev/null"
    for make in (
        lambda: null.symlink_to("/proc/sys/kernel/core_pattern"),
        lambda: null.symlink_to("/proc/sysrq-trigger"),
        lambda: null.write_text("not null"),
        lambda: os.mkfifo(null),
        lambda: null.mkdir(),
        lambda: os.mknod(null, 0o020666, os.makedev(1, 5)),
    ):
        if null.is_dir() and not null.is_symlink():
            null.rmdir()
        else:
            null.unlink(missing_ok=True)
        make()
        path = bundle.shell(
            "echo hacked > /proc/keys; cat /proc/keys /proc/uptime | wc -c > /seen; "
            "stat -c %t:%T /proc/keys /proc/uptime /dev/null >> /seen"
        )
        call("run", "--bundle", path, identity)
        assert (bundle.rootfs / "seen").read_text().split() == ["0", "1:3", "1:3", "1:3"]
        assert witness.happened() == []
