"""A case: one runtime, one bundle, and the program that prints what it sees.

The cases are written against the specification (OCI runtime-spec 1.2 and 1.3) and run unchanged
on every runtime. Where one is known to differ, `@pytest.mark.differs(crun="why")` says so, the case
must then fail there, and the reason stands in docs/conformance.md.
"""

from __future__ import annotations

import copy
import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.runtime.conftest import NAMES, Runtime, audited, wait_until

Config = dict[str, Any]
SECTION = re.compile(r"(runtime|config|config-linux|bundle|features|features-linux)\.md, \"")
_SIGNALS = 0x7FFF_FFFF & ~(1 << 8 | 1 << 18)  # 1 to 31 but KILL and STOP
_NUMBERS = itertools.count()
_HERE = Path(__file__).parent
_FOLDERS = ("proc", "sys", "dev", "etc", "tmp", "data", "work")

MINIMAL: Config = {
    "ociVersion": "1.0.2",
    "root": {"path": "rootfs"},
    "process": {"args": ["/see"], "cwd": "/", "env": [], "user": {"uid": 0, "gid": 0}},
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
    ],
    "linux": {
        "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")],
    },
}


@dataclass(slots=True, kw_only=True)
class Case:
    """`config` is written anew for each run."""

    runtime: Runtime
    identity: str
    bundle: Path
    config: Config

    @property
    def rootfs(self) -> Path:
        return self.bundle / "rootfs"

    @property
    def process(self) -> Config:
        return self.config["process"]

    @property
    def linux(self) -> Config:
        return self.config["linux"]

    def mount(self, destination: str, **fields: Any) -> None:
        self.config["mounts"].append({"destination": destination, **fields})

    def namespace(self, kind: str, path: str | None = None) -> None:
        """Ask for one more, or for another path of one that is there; None takes it away."""
        others = [one for one in self.linux["namespaces"] if one["type"] != kind]
        fresh = {"type": kind} if path is None else {"type": kind, "path": path}
        self.linux["namespaces"] = [*others, fresh]

    def without_namespace(self, kind: str) -> None:
        self.linux["namespaces"] = [one for one in self.linux["namespaces"] if one["type"] != kind]

    def limit(self, **resources: Any) -> None:
        self.linux["resources"] = {**self.linux.get("resources", {}), **resources}

    def write(self, *requests: str) -> str:
        """Requests as `see` takes them, each one string; its words are split."""
        if requests:
            words = [word for request in requests for word in ("+", *request.split(" "))]
            self.process["args"] = ["/see", *words]
        (self.bundle / "config.json").write_text(json.dumps(self.config))
        return str(self.bundle)

    def run(self, *requests: str) -> subprocess.CompletedProcess[str]:
        return self.runtime.call("run", "--bundle", self.write(*requests), self.identity)

    def see(self, *requests: str) -> Config:
        """Run a container to its end; what its program saw."""
        done = self.run(*requests)
        assert done.returncode == 0, f"{done.returncode}: {done.stderr or done.stdout}"
        return json.loads(done.stdout)

    def one(self, request: str) -> Any:
        return self.see(request)[request]

    def refused(self, *requests: str) -> str:
        """Run a container that must not come to be; what was said about it."""
        done = self.run(*(requests or ("pid",)))
        assert done.returncode != 0, done.stdout
        assert '"args"' not in done.stdout, "its program ran"
        return done.stderr

    def start(self) -> int:
        """A container that waits for signals; its pid."""
        self.runtime.ok("run", "--detach", "--bundle", self.write("wait"), self.identity)
        return int(self.runtime.state(self.identity)["pid"])

    def execute(self, *requests: str, **process: Any) -> Config:
        """One more process in the running container."""
        words = [word for request in requests for word in ("+", *request.split(" "))]
        document = {**copy.deepcopy(self.process), "args": ["/see", *words], **process}
        file = self.bundle / "process.json"
        file.write_text(json.dumps(document))
        return json.loads(self.runtime.ok("exec", "--process", str(file), self.identity))

    def start_waiting(self) -> int:
        """As `start`, but its program is known to have come to the point where it waits."""
        pid = self.start()
        # all standard signals but KILL and STOP are caught from then on
        wait_until(lambda: _caught(pid) & _SIGNALS == _SIGNALS)
        return pid

    def code_of(self, pid: int) -> int:
        """Wait for a process that has come to us, the subreaper; negative: the signal."""
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def reaped(self, pid: int) -> None:
        os.waitpid(pid, 0)


def _caught(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1], 16) for line in lines if line.startswith("SigCgt:"))


@pytest.fixture(scope="session")
def see(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("see") / "see"
    compiler = ["gcc", "-static", "-Os", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([*compiler, "-o", str(program), str(_HERE / "see.c")], check=True, timeout=60)
    return program


@pytest.fixture(params=NAMES)
def case(request: pytest.FixtureRequest, tmp_path: Path, see: Path, worker: str) -> Iterator[Case]:
    name = request.param
    if name != "builtin" and shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    for mark in request.node.iter_markers("differs"):
        if name in mark.kwargs:
            request.applymarker(pytest.mark.xfail(reason=mark.kwargs[name], strict=True))
    bundle = tmp_path / "bundle"
    for folder in _FOLDERS:
        (bundle / "rootfs" / folder).mkdir(parents=True)
    shutil.copy2(see, bundle / "rootfs/see")
    identity = f"conformance-{worker}-{next(_NUMBERS)}"
    config = copy.deepcopy(MINIMAL)
    config["linux"]["cgroupsPath"] = f"/{identity}"
    for runtime in audited(Runtime(name=name, root=tmp_path / "state"), identity):
        yield Case(runtime=runtime, identity=identity, bundle=bundle, config=config)


@pytest.fixture(scope="session")
def worker() -> str:
    """Names of two runs of the suite on one host must not meet."""
    return Path("/proc/self").resolve().name
