"""runtime.cli.main in a forked child, as the monitor calls it: one process, many calls."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from runtime.cli import main
from tests.integration.runtime.conftest import Bundle, Runtime, call_warm, wait_until
from tests.support.leaks import assert_none, snapshot

pytestmark = pytest.mark.root


def test_a_life_in_five_calls(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    root = ("--root", str(runtime.root))
    path = bundle.shell("trap 'exit 6' TERM; touch /ready; while :; do sleep 0.01; done")
    assert call_warm(*root, "create", "--bundle", path, identity) == 0
    assert call_warm(*root, "start", identity) == 0
    assert call_warm(*root, "exec", identity, "sh", "-c", "exit 8") == 8
    pid = runtime.state(identity)["pid"]
    # the container is a child of ours, the subreaper, not of the call that made it
    assert int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1]) == os.getpid()
    wait_until((bundle.rootfs / "ready").exists)
    assert call_warm(*root, "kill", identity, "TERM") == 0
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 6
    assert call_warm(*root, "delete", identity) == 0


def test_an_error_goes_to_the_log(runtime: Runtime, identity: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = call_warm(
        "--root", str(runtime.root), "--log", str(log), "--log-format", "json",
        "start", identity,
    )  # fmt: skip
    message = json.loads(log.read_text())
    assert code == 1
    assert message["level"] == "error"
    assert message["msg"] == f"container does not exist: {identity}"


def test_a_log_may_be_a_pipe(runtime: Runtime, identity: str) -> None:
    reader, writer = os.pipe()
    code = call_warm("--root", str(runtime.root), "--log", f"/proc/self/fd/{writer}",
                "--log-format", "text", "state", identity)  # fmt: skip
    os.close(writer)
    text = os.read(reader, 4096).decode()
    os.close(reader)
    assert code == 1
    assert "level=error" in text
    assert "does not exist" in text


@pytest.mark.parametrize(
    "arguments",
    [(), ("nosuch",), ("--nosuch", "list"), ("create",), ("kill",), ("kill", "x", "NOSUCH"),
     ("exec", "x"), ("list", "--format", "xml"), ("create", "--preserve-fds", "-1", "x")],
)  # fmt: skip
def test_a_wrong_command_line_is_a_usage_error(
    runtime: Runtime, arguments: tuple[str, ...]
) -> None:
    assert call_warm("--root", str(runtime.root), *arguments) in (64, 1)


def test_a_killed_create_leaves_what_delete_can_remove(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    script = f"touch {bundle.path}/in; sleep 60"
    hook = {"path": "/bin/sh", "args": ["sh", "-c", script]}
    bundle.config["hooks"] = {"createRuntime": [hook]}
    path = bundle.write("/bin/true")
    pid = os.fork()
    if pid == 0:
        os._exit(main(["--root", str(runtime.root), "create", "--bundle", path, identity]))
    wait_until((bundle.path / "in").exists)
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    for child in children:
        os.killpg(int(child), signal.SIGKILL)
    # init saw its parent die and went as well
    runtime.ok("delete", "--force", identity)


def test_no_descriptor_and_no_state_stays_in_the_parent(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    root = ("--root", str(runtime.root))
    for _ in range(5):
        assert call_warm(*root, "run", "--bundle", bundle.shell("exit 2"), identity) == 2
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_thirty_at_once(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    """Lives that cross each other: no failure, and (the audit) nothing left."""
    del bundle.config["linux"]["cgroupsPath"]
    path = bundle.shell("exit 3")
    started: list[int] = []
    for index in range(30):
        pid = os.fork()
        if pid == 0:
            arguments = ["run", "--bundle", path, f"{identity}-{index}"]
            os._exit(main(["--root", str(runtime.root), *arguments]))
        started.append(pid)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in started]
    assert codes == [3] * len(started)


def test_two_hundred_live_at_once(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    """Created and started all at the same time, and so deleted: none fails, none is left."""
    bundle.config["linux"].pop("cgroupsPath")
    path = bundle.write("/bin/sleep", "1000")
    names = [f"{identity}-{index}" for index in range(200)]
    before = snapshot(str(runtime.root.parent), identity)

    def at_once(*words: str) -> list[int]:
        pids: list[int] = []
        for name in names:
            pid = os.fork()
            if pid == 0:
                os._exit(main(["--root", str(runtime.root), *words, name]))
            pids.append(pid)
        return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]

    assert at_once("run", "--detach", "--bundle", path) == [0] * len(names)
    listed = json.loads(runtime.ok("list", "--format", "json"))
    assert sorted(one["id"] for one in listed) == sorted(names)
    assert {one["status"] for one in listed} == {"running"}
    assert len({one["pid"] for one in listed}) == len(names)
    assert at_once("delete", "--force") == [0] * len(names)
    for one in listed:
        os.waitpid(one["pid"], 0)
    assert_none(before, str(runtime.root.parent), identity)


def test_seccomp_with_and_without_no_new_privileges(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    bundle.config["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}],
    }
    for restricted in (True, False):
        bundle.shell("mkdir /new 2>&1; grep Seccomp: /proc/self/status", noNewPrivileges=restricted)
        done = runtime.ok("run", "--bundle", str(bundle.path), identity)
        assert "Operation not supported" in done
        assert done.split()[-1] == "2"
    # the second time the filter came from the cache
    assert len(os.listdir(runtime.root / ".seccomp")) == 1
