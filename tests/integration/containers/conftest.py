"""A state root of one's own, a busybox root file system, and containers without an engine."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest

from runtime.wire.lines import Lines
from stacker.drivers.containers.containers import Containers
from stacker.plan.container_specs import Launch, LogOptions

APPLETS = (
    "sh", "true", "cat", "sleep", "echo", "head", "seq", "stty", "id", "yes", "dd", "kill", "ls",
    "readlink", "grep", "tty",
)  # fmt: skip

_CRUN = """#!/bin/sh
# crun 1.8 refuses a hybrid host whose version 2 tree holds a controller: it gets to see none
exec unshare -m sh -c 'if [ -d /sys/fs/cgroup/unified ]; then
mount -t tmpfs none /sys/fs/cgroup/unified; fi; exec crun "$@"' crun "$@"
"""


@dataclass(slots=True, kw_only=True)
class Place:
    """One state root."""

    base: Path
    runtime: str
    ids: list[str] = field(default_factory=list)

    @property
    def run(self) -> Path:
        return self.base / "run"

    @property
    def cgroup(self) -> str:
        return f"stacker-test-{os.getpid()}"

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Containers]:
        async with Containers(
            root=self.base / "root", run=self.run, tag="test", default_runtime=self.runtime
        ) as containers:
            yield containers

    def launch(self, *args: str, container_id: str = "", **options: Any) -> Launch:
        container_id = container_id or secrets.token_hex(32)
        self.ids.append(container_id)
        spec = self.spec(container_id, *args, terminal=options.get("terminal", False))
        options.setdefault("log", LogOptions())
        return Launch(container_id=container_id, spec=spec, **options)

    def shell(self, script: str, **options: Any) -> Launch:
        return self.launch("/bin/sh", "-c", script, **options)

    def spec(self, container_id: str, *args: str, terminal: bool = False) -> dict[str, object]:
        noexec = ["nosuid", "noexec", "nodev"]
        capabilities = ["CAP_KILL", "CAP_SETUID", "CAP_SETGID"]
        return {
            "ociVersion": "1.0.2",
            "root": {"path": str(self.base / "rootfs"), "readonly": True},
            "process": {
                "args": list(args),
                "cwd": "/",
                "env": ["PATH=/bin", "MARK=own"],
                "terminal": terminal,
                "user": {"uid": 0, "gid": 0},
                "noNewPrivileges": True,
                "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
            },
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc", "options": noexec},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]},
                {
                    "destination": "/dev/pts",
                    "type": "devpts",
                    "source": "devpts",
                    "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666"],
                },
            ],
            "linux": {
                "cgroupsPath": f"/{self.cgroup}/{container_id[:12]}",
                "namespaces": [{"type": k} for k in ("pid", "ipc", "uts", "mount", "network")],
                "resources": {"pids": {"limit": 64}, "memory": {"limit": 64 * 1024 * 1024}},
            },
        }


def _prepare(base: Path, runtime: str) -> Place:
    for name in ("bin", "proc", "sys", "dev", "etc", "tmp"):
        (base / "rootfs" / name).mkdir(parents=True)
    shutil.copy2("/bin/busybox", base / "rootfs/bin/busybox")
    for applet in APPLETS:
        (base / "rootfs/bin" / applet).symlink_to("busybox")
    (base / "rootfs/etc/passwd").write_text("root:x:0:0:::\nbob:x:1000:1000::/tmp:/bin/sh\n")
    (base / "root").mkdir(mode=0o700)
    if runtime == "crun":
        wrapper = base / "crun"
        wrapper.write_text(_CRUN)
        wrapper.chmod(0o755)
        runtime = str(wrapper)
    return Place(base=base, runtime=runtime)


@pytest.fixture(params=("builtin", "crun", "runc"))
def each_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param != "builtin" and shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    yield from _cleaned(_prepare(tmp_path, request.param))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    yield from _cleaned(_prepare(tmp_path, "builtin"))


def _cleaned(place: Place) -> Iterator[Place]:
    try:
        yield place
    finally:
        anyio.run(_clean, place)
    assert not _alive(place), "a process is left"
    assert not list((place.run / "containers").glob("*")), "a bundle is left"
    for hierarchy in Path("/sys/fs/cgroup").iterdir():
        left = hierarchy / place.cgroup
        if left.is_dir():
            assert not [p for p in left.iterdir() if p.is_dir()], f"a cgroup is left in {left}"
            left.rmdir()


async def _clean(place: Place) -> None:
    async with place.open() as containers:
        for container_id in place.ids:
            await containers.delete(container_id)
        assert await containers.shutdown()


def _alive(place: Place) -> list[int]:
    found: list[int] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(place.base) in (process / "cmdline").read_text():
                found.append(int(process.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


def kill_monitor(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


async def read_lines(containers: Containers, container_id: str, **options: Any) -> list[bytes]:
    """Return the whole log as lines, those of both streams in the order of their frames."""
    wanted = {"tail": None, "since": None, "follow": False, **options}
    lines, found = Lines(), b""
    async for frames in containers.logs(container_id, **wanted):
        found += b"".join(content for _, _, content in lines.feed(frames))
    found += b"".join(content for _, _, content in lines.rest())
    return found.splitlines()


async def wait_until(
    condition: Callable[[], bool] | Callable[[], Awaitable[bool]], *, within_s: float = 20.0
) -> None:
    with anyio.fail_after(within_s):
        while True:
            holds = condition()
            if holds if isinstance(holds, bool) else await holds:
                return
            await anyio.sleep(0.005)
