"""containerd drives our runtime, through its own shim (`ctr run --runc-binary`)."""

from __future__ import annotations

import pytest

from tests.integration.clients.conftest import Ctr
from tests.integration.runtime.conftest import wait_until

pytestmark = pytest.mark.root


def test_run(ctr: Ctr) -> None:
    done = ctr.run("--rm", name="main", command=("/bin/sh", "-c", "echo here; exit 3"))
    assert (done.returncode, done.stdout) == (3, "here\n")


def test_exec(ctr: Ctr) -> None:
    ctr.detached("main")
    exec_ = ("task", "exec", "--exec-id", "more")
    assert ctr.ok(*exec_, "main", "/bin/cat", "/proc/1/cmdline") == "/bin/sleep\0001000\0"
    assert ctr.call(*exec_, "main", "/bin/sh", "-c", "exit 9").returncode == 9


def test_pause_and_metrics(ctr: Ctr) -> None:
    ctr.detached("main", "--memory-limit", str(64 << 20))
    ctr.ok("task", "pause", "main")
    assert ctr.status("main") == "PAUSED"
    ctr.ok("task", "resume", "main")
    assert ctr.status("main") == "RUNNING"
    assert str(64 << 20) in ctr.ok("task", "metrics", "main")


def test_stop(ctr: Ctr) -> None:
    ctr.detached("main")
    ctr.ok("task", "kill", "--signal", "KILL", "main")
    wait_until(lambda: ctr.status("main") == "STOPPED")
