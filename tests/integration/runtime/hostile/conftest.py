"""What must not happen while hostile containers start, and the shapes that hostile files have.

The witness: a canary tree outside that every trap points to, watched by inotify (a read of it is
an escape as well as a write), the host's mount table, and the kernel's files that a redirected
write would hit.
"""

from __future__ import annotations

import json
import os
import select
import signal
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime.linux.inotify import IN_MODIFY, take_events, watch_directory
from runtime.linux.libc import syscall
from tests.integration.runtime.conftest import (
    Bundle,
    Runtime,
    call_warm,
    children_of_ours,
    host_mounts,
    reap_all_but,
)

RENAMEAT2 = 316 if os.uname().machine == "x86_64" else 276
RENAME_EXCHANGE, AT_FDCWD = 2, -100
LONGEST_S = 5.0
"""E1: no hang."""
IN_ALL_EVENTS = 0xFFF
_KERNEL_FILES = ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/pid_max")


class Witness:
    """`quiet` says what happened outside since it was made; nothing is what should have."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary
        self._before = self._host()
        places = {str(canary): IN_ALL_EVENTS, str(canary / "below"): IN_ALL_EVENTS}
        # anybody on the host may read these
        places |= dict.fromkeys(_KERNEL_FILES, IN_MODIFY)
        self._watches = {watch_directory(place, mask): place for place, mask in places.items()}

    def happened(self) -> list[str]:
        """Events first: to compare the tree is to read it."""
        said = [f"something was done to {place}" for place in self._seen()]
        after = self._host()
        for name, value in self._before.items():
            if after[name] != value:
                said.append(f"{name}: {value} has become {after[name]}")
        # what the comparison itself has read
        self._seen()
        return said

    def close(self) -> None:
        for fd in self._watches:
            os.close(fd)

    def _seen(self) -> list[str]:
        ready, _, _ = select.select(list(self._watches), [], [], 0)
        for fd in ready:
            take_events(fd)
        return [self._watches[fd] for fd in ready]

    def _host(self) -> dict[str, object]:
        tree = [self.canary, *sorted(self.canary.rglob("*"))]
        return {
            "the canary": [_facts(path) for path in tree],
            "the mount table": host_mounts(self.canary.parent),
            **{name: Path(name).read_text() for name in _KERNEL_FILES},
        }


def _facts(path: Path) -> tuple[object, ...]:
    status = path.lstat()
    content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
    owner = (status.st_mode, status.st_uid, status.st_gid, status.st_nlink)
    return (str(path), status.st_ino, *owner, status.st_mtime_ns, content)


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    directory = tmp_path / "canary"
    (directory / "below").mkdir(parents=True)
    (directory / "file").write_text("untouched")
    (directory / "below/file").write_text("untouched")
    return directory


@pytest.fixture
def witness(canary: Path) -> Iterator[Witness]:
    seen = Witness(canary)
    yield seen
    seen.close()


class Caller:
    """Calls the runtime in a forked child (fast), with its errors in a file and its time taken."""

    def __init__(self, runtime: Runtime, bundle: Bundle, identity: str) -> None:
        self._root = str(runtime.root)
        self._log = bundle.path / "log"
        self.bundle = bundle
        self.identity = identity
        self._others = children_of_ours()

    def __call__(self, verb: str, *arguments: str) -> tuple[int, str]:
        self._log.unlink(missing_ok=True)
        begun = time.monotonic()
        code = call_warm(
            "--root", self._root, "--log", str(self._log), "--log-format", "text",
            verb, *arguments,
        )  # fmt: skip
        taken = time.monotonic() - begun
        told = self._log.read_text() if self._log.exists() else ""
        assert taken < LONGEST_S, f"{verb} took {taken:.1f} s: {told}"
        assert "unexpected" not in told, told
        assert "internal error" not in told, told
        assert "Traceback" not in told, told
        return code, told

    def life(self, *exec_arguments: str) -> tuple[int, int | None]:
        """`create`, `start`, `exec`, `delete`; gives the codes of the first failure and of exec."""
        path = str(self.bundle.path)
        code, _ = self("create", "--bundle", path, self.identity)
        if code:
            return code, None
        pid = self.pid()
        code, _ = self("start", self.identity)
        inside = self("exec", *exec_arguments)[0] if code == 0 else None
        self.end(pid)
        return code, inside

    def end(self, pid: int) -> None:
        """All reaped before it is deleted: they are our children, as they would be the monitor's.

        A pid namespace does not end before the last of its processes has been reaped, one that
        `exec` could not execute among them.
        """
        os.kill(pid, signal.SIGKILL)
        reap_all_but(self._others)
        self("delete", "--force", self.identity)

    def pid(self) -> int:
        return json.loads(Path(self._root, self.identity, "state.json").read_text())["pid"]


@pytest.fixture
def call(runtime: Runtime, bundle: Bundle, identity: str) -> Caller:
    return Caller(runtime, bundle, identity)


def exchange(one: Path, other: Path) -> None:
    syscall(RENAMEAT2, AT_FDCWD, bytes(one), AT_FDCWD, bytes(other), RENAME_EXCHANGE)


SHAPES: dict[str, Callable[[Path, Path], object]] = {
    "link out": lambda path, canary: path.symlink_to(canary),
    "link to a file out": lambda path, canary: path.symlink_to(canary / "file"),
    "climbing link": lambda path, canary: path.symlink_to("../" * 20 + str(canary)[1:]),
    "magic link": lambda path, canary: path.symlink_to(f"/proc/1/root{canary}"),
    "link to the root": lambda path, _: path.symlink_to("/"),
    "loop": lambda path, _: path.symlink_to(path.name),
    "dangling": lambda path, canary: path.symlink_to(canary / "new"),
    "directory": lambda path, _: path.mkdir(),
    "file": lambda path, _: path.write_text("x"),
    "fifo": lambda path, _: os.mkfifo(path),
    "device": lambda path, _: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 8)),
    "absent": lambda path, _: None,
}
