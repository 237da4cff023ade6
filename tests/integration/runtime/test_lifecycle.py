"""create, start, state, kill, delete, run, exec, list: the same tests on all three runtimes."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from runtime.container.identity import start_time
from tests.integration.runtime.conftest import Bundle, Runtime, wait_until

pytestmark = pytest.mark.root


def test_create_waits_and_start_runs(
    any_runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    path = bundle.shell("touch /ran; exit 7")
    any_runtime.ok("create", "--bundle", path, "--pid-file", str(pid_file), identity)
    state = any_runtime.state(identity)
    pid = int(pid_file.read_text())
    assert (state["id"], state["pid"], state["status"]) == (identity, pid, "created")
    assert state["bundle"] == path
    assert not (bundle.rootfs / "ran").exists()
    any_runtime.ok("start", identity)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 7
    assert (bundle.rootfs / "ran").exists()
    assert any_runtime.state(identity)["status"] == "stopped"
    any_runtime.ok("delete", identity)
    assert any_runtime.call("state", identity).returncode != 0


def test_run_gives_output_and_exit_code(
    any_runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    path = bundle.shell("echo out; echo err >&2; exit 3")
    done = any_runtime.call("run", "--bundle", path, identity)
    assert (done.returncode, done.stdout) == (3, "out\n")
    assert done.stderr.endswith("err\n")


def test_run_reports_a_signal_as_a_shell_does(
    any_runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    path = bundle.shell("sh -c 'kill -9 $$'; exit $?")
    assert any_runtime.call("run", "--bundle", path, identity).returncode == 137


def test_exec_enters_a_running_container(
    any_runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    any_runtime.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    done = any_runtime.call("exec", identity, "/bin/sh", "-c", "hostname; echo $MARK; exit 5")
    assert (done.returncode, done.stdout) == (5, "inside\nhere\n")
    done = any_runtime.call(
        "exec", "--cwd", "/tmp", "--env", "ADDED=1", "--user", "7:8", identity,
        "/bin/sh", "-c", "pwd; echo $ADDED; id -u; id -g",
    )  # fmt: skip
    assert done.stdout.split() == ["/tmp", "1", "7", "8"]
    # the namespaces are the container's, process 1 included
    seen = any_runtime.ok("exec", identity, "cat", "/proc/1/cmdline")
    assert seen.startswith("/bin/sleep\0")


def test_exec_reads_a_process_file(
    any_runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path
) -> None:
    any_runtime.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    process = {**bundle.config["process"], "args": ["/bin/sh", "-c", "echo $ONE"], "env": ["ONE=1"]}
    file = tmp_path / "process.json"
    file.write_text(json.dumps(process))
    pid_file = tmp_path / "exec.pid"
    done = any_runtime.call("exec", "--process", str(file), "--pid-file", str(pid_file), identity)
    assert (done.returncode, done.stdout) == (0, "1\n")
    assert pid_file.read_text().isdigit()


def test_exec_detached_returns_at_once(
    any_runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path
) -> None:
    any_runtime.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    pid_file = tmp_path / "exec.pid"
    any_runtime.ok("exec", "--detach", "--pid-file", str(pid_file), identity, "sleep", "50")
    pid = int(pid_file.read_text())
    # runc returns before the program is executed
    wait_until(lambda: Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x0050\0")


@pytest.mark.parametrize("signal", ["KILL", "SIGTERM", "9"])
def test_kill_sends_the_signal(
    any_runtime: Runtime, bundle: Bundle, identity: str, signal: str
) -> None:
    path = bundle.shell("trap 'exit 4' TERM; touch /ready; while :; do sleep 0.01; done")
    any_runtime.ok("run", "--detach", "--bundle", path, identity)
    wait_until((bundle.rootfs / "ready").exists)
    pid = any_runtime.state(identity)["pid"]
    any_runtime.ok("kill", identity, signal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == (4 if signal == "SIGTERM" else -9)
    any_runtime.await_status(identity, "stopped")
    assert any_runtime.call("kill", identity, signal).returncode != 0
    any_runtime.ok("delete", identity)


def test_delete_refuses_a_running_container(
    any_runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    any_runtime.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    assert any_runtime.call("delete", identity).returncode != 0
    assert any_runtime.state(identity)["status"] == "running"
    any_runtime.ok("delete", "--force", identity)
    # and forgives absence
    any_runtime.ok("delete", "--force", identity)


def test_wrong_moments_are_refused(any_runtime: Runtime, bundle: Bundle, identity: str) -> None:
    path = bundle.write("/bin/sleep", "100")
    assert any_runtime.call("start", identity).returncode != 0
    any_runtime.ok("create", "--bundle", path, identity)
    assert any_runtime.call("create", "--bundle", path, identity).returncode != 0
    any_runtime.ok("start", identity)
    assert any_runtime.call("start", identity).returncode != 0


def test_list_knows_the_container(any_runtime: Runtime, bundle: Bundle, identity: str) -> None:
    any_runtime.ok("create", "--bundle", bundle.write("/bin/true"), identity)
    (listed,) = json.loads(any_runtime.ok("list", "--format", "json"))
    assert (listed["id"], listed["status"]) == (identity, "created")
    assert any_runtime.ok("list", "-q").split() == [identity]
    assert identity in any_runtime.ok("list")


def test_a_missing_program_fails_and_leaves_nothing(
    any_runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    done = any_runtime.call("run", "--bundle", bundle.write("/bin/nosuch"), identity)
    assert done.returncode != 0
    assert "/bin/nosuch" in done.stderr
    assert any_runtime.call("state", identity).returncode != 0


@pytest.mark.parametrize("identity_given", ["../x", ".hidden", "a/b", "", "a b", "x\n"])
def test_an_id_is_a_plain_name(
    any_runtime: Runtime, bundle: Bundle, identity_given: str, tmp_path: Path
) -> None:
    if any_runtime.name == "runc" and identity_given == ".hidden":
        pytest.skip("runc takes a leading dot")
    if any_runtime.name == "crun":
        pytest.skip("crun 1.8 checks only for slashes")
    before = sorted(path.name for path in tmp_path.iterdir())
    done = any_runtime.call("create", "--bundle", bundle.write("/bin/true"), identity_given)
    assert done.returncode != 0
    after = {path.name for path in tmp_path.iterdir()} - {"state", "state.out", "state.err"}
    assert after <= set(before)


def test_pause_and_resume(any_runtime: Runtime, bundle: Bundle, identity: str) -> None:
    if any_runtime.name == "crun":
        pytest.skip("crun 1.8 does not find the freezer of a hybrid host")
    any_runtime.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    any_runtime.ok("pause", identity)
    assert any_runtime.state(identity)["status"] == "paused"
    any_runtime.ok("resume", identity)
    assert any_runtime.state(identity)["status"] == "running"
    any_runtime.ok("kill", identity, "KILL")
    any_runtime.await_status(identity, "stopped")


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "KILL"])
def test_a_signal_ends_what_was_not_started(
    runtime: Runtime, bundle: Bundle, identity: str, name: str
) -> None:
    """Though it is the first process of its pid namespace, which hears what it handles only."""
    runtime.ok("create", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    runtime.ok("kill", identity, name)
    runtime.await_status(identity, "stopped")
    assert runtime.call("start", identity).returncode != 0
    runtime.ok("delete", identity)


def test_the_callers_signals_are_not_ours(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    """What a caller ignores or blocks is inherited, and children could not be waited for."""

    def ignore() -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})

    done = runtime.call(
        *("run", "--bundle", bundle.shell("kill -TERM $$; sleep 9; exit 3"), identity),
        preexec_fn=ignore,
    )
    assert (done.returncode, done.stderr) == (3, "")


def test_sysctls_do_not_reach_the_host(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    """Through a namespace that is joined by its path, and is the one that we are in."""
    namespaces = bundle.config["linux"]["namespaces"]
    namespaces[:] = [one for one in namespaces if one["type"] != "uts"]
    namespaces.append({"type": "uts", "path": "/proc/self/ns/uts"})
    bundle.config["hostname"] = ""
    bundle.config["linux"]["sysctl"] = {"kernel.domainname": "evil.example"}
    done = runtime.call("run", "--bundle", bundle.write("/bin/true"), identity)
    assert done.returncode == 1
    assert "linux.sysctl: kernel.domainname would change the host" in done.stderr
    assert Path("/proc/sys/kernel/domainname").read_text().strip() != "evil.example"


def test_a_container_is_being_created_while_its_creator_lives(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    """Not stopped, though it has no process yet: nobody may delete it from under the creator."""
    runtime.ok("create", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    file = runtime.root / identity / "state.json"
    whole = file.read_text()
    own = {"pid": 0, "start_time": 0, "complete": False}
    creator = {"creator": os.getpid(), "creator_start": start_time(os.getpid())}
    file.write_text(json.dumps(json.loads(whole) | own | creator))
    found = runtime.state(identity)
    assert (found["status"], found["pid"]) == ("creating", 0)
    assert "not stopped" in runtime.call("delete", identity).stderr
    file.write_text(json.dumps(json.loads(whole) | own))
    assert runtime.state(identity)["status"] == "stopped"
    file.write_text(whole)
    runtime.ok("delete", "--force", identity)
