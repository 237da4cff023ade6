"""The three runtimes behind one command line, a busybox root file system, and a leak audit."""

from __future__ import annotations

import gc
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runtime.cli import load_all, main
from runtime.container.directory import CACHE
from runtime.linux.process import set_child_subreaper
from runtime.linux.sealed import start_program
from tests.support.slowness import SLOWNESS

Config = dict[str, Any]
APPLETS = (
    "sh", "cat", "ls", "id", "sleep", "echo", "env", "true", "false", "stat", "mount", "tty",
    "hostname", "grep", "readlink", "touch", "kill", "mkdir", "head", "ps", "wc", "stty", "ip",
    "cut",
)  # fmt: skip
NAMES = ("builtin", "crun", "runc")
DEADLINE_S = 20.0 * SLOWNESS

# crun 1.8 refuses a hybrid host whose version 2 tree holds a controller: it gets to see none
_HIDE_UNIFIED = (
    "if [ -d /sys/fs/cgroup/unified ]; then mount -t tmpfs none /sys/fs/cgroup/unified; fi; "
    'exec crun "$@"'
)
COMMANDS = {
    "builtin": [os.path.realpath(sys.executable), "-I", "-S", *start_program("runtime.__main__")],
    "crun": ["unshare", "-m", "sh", "-c", _HIDE_UNIFIED, "crun"],
    "runc": ["runc"],
}


def captured(argv: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Output goes to files: a detached container would keep a pipe open for ever."""
    # new ones for each call: what an earlier one has left running may still write to its own
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        code = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            timeout=DEADLINE_S,
            check=False,
            **options,
        ).returncode
        # opened again: the offset of these is shared with whoever runs on
        out, err = (Path(f"/proc/self/fd/{one.fileno()}").read_text() for one in (stdout, stderr))
    return subprocess.CompletedProcess(argv, code, out, err)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """One of the three, with its own state directory."""

    name: str
    root: Path

    def argv(self, *arguments: str) -> list[str]:
        return [*COMMANDS[self.name], "--root", str(self.root), *arguments]

    def call(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return captured(self.argv(*arguments), **options)

    def ok(self, *arguments: str, **options: Any) -> str:
        done = self.call(*arguments, **options)
        assert done.returncode == 0, f"{arguments}: {done.returncode}: {done.stderr}"
        return done.stdout

    def state(self, identity: str) -> Config:
        return json.loads(self.ok("state", identity))

    def await_status(self, identity: str, status: str) -> None:
        wait_until(lambda: self.state(identity)["status"] == status)


@dataclass(slots=True, kw_only=True)
class Bundle:
    """A bundle directory whose config.json is written anew by `write`."""

    path: Path
    config: Config

    @property
    def rootfs(self) -> Path:
        return self.path / "rootfs"

    def write(self, *args: str, **process: Any) -> str:
        if args:
            self.config["process"]["args"] = list(args)
        self.config["process"].update(process)
        (self.path / "config.json").write_text(json.dumps(self.config))
        return str(self.path)

    def shell(self, script: str, **process: Any) -> str:
        return self.write("/bin/sh", "-c", script, **process)


def call_warm(
    *arguments: str,
    stdout: int | None = None,
    stderr: int | None = None,
    before: Callable[[], object] = lambda: None,
) -> int:
    """runtime.cli.main in a forked child, as the monitor calls it; `before` in that child."""
    pid = os.fork()
    if pid == 0:
        code = 99
        # as the monitor does: a collection would go through all that pytest has, for a second
        gc.freeze()
        try:
            null = os.open("/dev/null", os.O_RDWR)
            os.dup2(null, 0)
            os.dup2(null if stdout is None else stdout, 1)
            os.dup2(null if stderr is None else stderr, 2)
            # pytest has put objects of its own in their place, which write elsewhere
            sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
            before()
            code = main(list(arguments))
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        select.select([], [], [], 0.005)


def base_config(identity: str) -> Config:
    capabilities = ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_SETGID"]
    noexec = ["nosuid", "noexec", "nodev"]
    return {
        "ociVersion": "1.0.2",
        "root": {"path": "rootfs"},
        "hostname": "inside",
        "process": {
            "args": ["/bin/true"],
            "cwd": "/",
            "env": ["PATH=/bin", "MARK=here"],
            "user": {"uid": 0, "gid": 0},
            "noNewPrivileges": True,
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
        },
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": noexec},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
             "options": [*noexec, "mode=1777", "size=65536k"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": [*noexec, "ro"]},
        ],
        "linux": {
            "cgroupsPath": f"/{identity}",
            "namespaces": [
                {"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount", "cgroup")
            ],
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/sys/firmware"],
            "readonlyPaths": ["/proc/sys"],
        },
    }  # fmt: skip


def make_rootfs(target: Path) -> Path:
    for name in ("bin", "proc", "sys", "dev", "etc", "tmp", "root"):
        (target / name).mkdir(parents=True)
    shutil.copy2("/bin/busybox", target / "bin/busybox")
    for applet in APPLETS:
        (target / "bin" / applet).symlink_to("busybox")
    return target


@pytest.fixture(scope="session", autouse=True)
def _tools() -> None:
    load_all()
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if not os.path.exists("/bin/busybox"):
        pytest.skip("needs busybox-static")


@pytest.fixture
def identity(request: pytest.FixtureRequest) -> str:
    # a digest of the test's name: unique, short, and the same on every run
    return f"srt-{abs(hash(request.node.nodeid)) % 10**8}-{os.getpid()}"


@pytest.fixture
def bundle(tmp_path: Path, identity: str) -> Bundle:
    path = tmp_path / "bundle"
    make_rootfs(path / "rootfs")
    return Bundle(path=path, config=base_config(identity))


@pytest.fixture(params=NAMES)
def any_runtime(request: pytest.FixtureRequest, tmp_path: Path, identity: str) -> Iterator[Runtime]:
    if shutil.which(request.param) is None and request.param != "builtin":
        pytest.skip(f"{request.param} is not installed")
    yield from audited(Runtime(name=request.param, root=tmp_path / "state"), identity)


@pytest.fixture
def runtime(tmp_path: Path, identity: str) -> Iterator[Runtime]:
    yield from audited(Runtime(name="builtin", root=tmp_path / "state"), identity)


def audited(runtime: Runtime, identity: str) -> Iterator[Runtime]:
    """Orphans come to us while the test runs; afterwards nothing may be left anywhere."""
    set_child_subreaper(True)
    descriptors = set(os.listdir("/proc/self/fd"))
    children = children_of_ours()
    try:
        yield runtime
    finally:
        # killed and reaped before: runc cannot remove a cgroup that holds a corpse
        runtime.call("kill", identity, "KILL")
        reap_all_but(children)
        runtime.call("delete", "--force", identity)
        if runtime.name != "builtin":
            _sweep(identity)
        set_child_subreaper(False)
    left = set(os.listdir(runtime.root)) - {CACHE} if runtime.root.exists() else set[str]()
    assert left == set(), f"left in the state directory: {left}"
    assert _cgroups(identity) == []
    assert _mounts(runtime.root.parent) == []
    assert set(os.listdir("/proc/self/fd")) == descriptors


def reap_all_but(others: frozenset[int]) -> None:
    """Reap all but the children that were there before: a registry of another test, say."""

    def none_left() -> bool:
        for pid in children_of_ours() - others:
            os.waitpid(pid, os.WNOHANG)
        return children_of_ours() <= others

    wait_until(none_left)


def children_of_ours() -> frozenset[int]:
    tasks = Path("/proc/self/task").iterdir()
    return frozenset(int(pid) for task in tasks for pid in (task / "children").read_text().split())


def host_mounts(own: Path) -> list[str]:
    """The host's mount table, without what other tests have mounted in their own directories."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    temporary = f"{tempfile.gettempdir()}/"
    return [
        line
        for line in lines
        if not (place := line.split()[4]).startswith(temporary) or place.startswith(str(own))
    ]


def _mounts(below: Path) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if str(below) in line]


def _sweep(identity: str) -> None:
    """What the others leave behind is not ours to judge: crun 1.8 a cgroup it could not limit."""
    for folder in map(Path, _cgroups(identity)):
        if not (folder / "cgroup.procs").read_text():
            folder.rmdir()


def _cgroups(identity: str) -> list[str]:
    top = Path("/sys/fs/cgroup")
    places = [top, *(path for path in top.iterdir() if path.is_dir())]
    return [str(found) for path in places for found in path.glob(f"{identity}*")]
