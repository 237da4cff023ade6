"""A container that one test after another runs a script in, in both ways of making mounts.

The second way is what a seccomp filter over the runtime makes of the same kernel.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime.linux.mount import MNT_DETACH, mount, umount2
from runtime.security.seccomp.load import install, prepare
from tests.integration.runtime.conftest import Bundle, Runtime, call_warm

CALLS = ("open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "mount_setattr")
ENOSYS, EPERM = 38, 1


def without(names: tuple[str, ...], error: int) -> Callable[[], object]:
    """A filter for the child: these calls are unknown (or, in an old container, refused)."""
    denied = prepare(
        {
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": list(names), "action": "SCMP_ACT_ERRNO", "errnoRet": error}],
        }
    )
    return lambda: install(denied)


class Inside:
    """Runs a shell script in a container of the bundle, one way or the other."""

    def __init__(
        self, runtime: Runtime, bundle: Bundle, identity: str, before: Callable[[], object]
    ) -> None:
        self.bundle = bundle
        self._arguments = ("--root", str(runtime.root), "run", "--bundle")
        self._identity = identity
        self._before = before
        self.error = ""

    def run(self, script: str) -> list[str]:
        path = self.bundle.shell(script)
        log = self.bundle.path / "log"
        log.unlink(missing_ok=True)
        with (
            (self.bundle.path / "said").open("w+") as said,
            (self.bundle.path / "told").open("w+") as told,
        ):
            code = call_warm(
                "--log", str(log), "--log-format", "text", *self._arguments, path, self._identity,
                stdout=said.fileno(), stderr=told.fileno(), before=self._before,
            )  # fmt: skip
            said.seek(0)
            told.seek(0)
            self.error = told.read() + (log.read_text() if log.exists() else "")
            assert code == 0, f"{code}: {self.error}"
            return said.read().splitlines()

    def refused(self) -> str:
        with pytest.raises(AssertionError):
            self.run("true")
        return self.error

    def add(self, destination: str, kind: str, source: object, *options: str, **more: object):
        entry = {"destination": destination, "type": kind, "source": str(source)}
        self.bundle.config["mounts"].append({**entry, "options": list(options), **more})


@pytest.fixture(params=["detached", "classic"])
def inside(
    request: pytest.FixtureRequest, runtime: Runtime, bundle: Bundle, identity: str
) -> Inside:
    before = without(CALLS, ENOSYS) if request.param == "classic" else lambda: None
    return Inside(runtime, bundle, identity, before)


@pytest.fixture
def detached(runtime: Runtime, bundle: Bundle, identity: str) -> Inside:
    return Inside(runtime, bundle, identity, lambda: None)


@pytest.fixture
def classic(runtime: Runtime, bundle: Bundle, identity: str) -> Inside:
    return Inside(runtime, bundle, identity, without(CALLS, ENOSYS))


@pytest.fixture
def source(bundle: Bundle) -> Path:
    path = bundle.path / "source"
    path.mkdir()
    (path / "file").write_text("content\n")
    return path


@pytest.fixture
def tree(source: Path) -> Iterator[Path]:
    """A directory with another mount below it."""
    (source / "below").mkdir()
    mount("tmpfs", str(source), "tmpfs")
    (source / "below").mkdir()
    mount("tmpfs", str(source / "below"), "tmpfs")
    (source / "below/inner").write_text("")
    yield source
    umount2(str(source), MNT_DETACH)


def options_of(lines: list[str]) -> dict[str, set[str]]:
    """From `cut -d' ' -f5,6 /proc/self/mountinfo`."""
    return {line.split()[0]: set(line.split()[1].split(",")) for line in lines}


LOOK = "cut -d' ' -f5,6 /proc/self/mountinfo"


def mapping(inner: int, outer: int, size: int = 10) -> list[dict[str, int]]:
    return [{"containerID": inner, "hostID": outer, "size": size}]


def in_user_namespace(bundle: Bundle, first: int = 100_000) -> None:
    bundle.config["linux"]["namespaces"].append({"type": "user"})
    for kind in ("uidMappings", "gidMappings"):
        bundle.config["linux"][kind] = mapping(0, first, 65536)
    for directory, names, files in os.walk(bundle.rootfs):
        for name in (*names, *files, "."):
            os.chown(os.path.join(directory, name), first, first, follow_symlinks=False)
