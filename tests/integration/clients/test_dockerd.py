"""dockerd, with containerd below it, drives our runtime (`--add-runtime`)."""

from __future__ import annotations

import json

import pytest

from tests.integration.clients.conftest import Docker
from tests.integration.clients.podman import SLEEP
from tests.integration.runtime.conftest import wait_until

pytestmark = pytest.mark.root


def test_run(docker: Docker) -> None:
    done = docker.run("--env", "MARK=here", command=("sh", "-c", "echo $MARK; exit 3"))
    assert (done.returncode, done.stdout) == (3, "here\n")
    assert docker.run(command=("nosuch",)).returncode == 127


def test_it_is_our_runtime_that_runs(docker: Docker) -> None:
    docker.detached("main")
    assert docker.ok("inspect", "--format", "{{.HostConfig.Runtime}}", "main") == "stacker"


def test_exec(docker: Docker) -> None:
    docker.detached("main")
    assert docker.ok("exec", "main", "cat", "/proc/1/cmdline") == "sleep\0001000\0"
    assert docker.ok("exec", "-t", "main", "tty") == "/dev/pts/0"
    assert docker.call("exec", "main", "sh", "-c", "exit 9").returncode == 9


def test_stop(docker: Docker) -> None:
    script = "trap 'exit 5' TERM; echo set; while :; do sleep 0.05; done"
    docker.detached("gentle", command=("sh", "-c", script))
    wait_until(lambda: "set" in docker.ok("logs", "gentle"))
    docker.ok("stop", "--time", "20", "gentle")
    docker.detached("deaf")
    docker.ok("stop", "--time", "0", "deaf")
    codes = [
        json.loads(docker.ok("inspect", "--format", "{{json .State.ExitCode}}", name))
        for name in ("gentle", "deaf")
    ]
    assert codes == [5, 137]


def test_pause_and_update(docker: Docker) -> None:
    docker.detached("main", "--memory=64m", command=SLEEP)
    docker.ok("pause", "main")
    assert docker.ok("inspect", "--format", "{{.State.Status}}", "main") == "paused"
    docker.ok("unpause", "main")
    docker.ok("update", "--memory=32m", "--memory-swap=64m", "main")
    usage = docker.ok("stats", "--no-stream", "--format", "{{.MemUsage}} {{.PIDs}}", "main")
    assert usage.endswith("/ 32MiB 1")


def test_init(docker: Docker) -> None:
    done = docker.run("--init", command=("cat", "/proc/1/cmdline"))
    assert done.stdout.startswith("/sbin/docker-init\0--\0cat\0"), done.stderr
