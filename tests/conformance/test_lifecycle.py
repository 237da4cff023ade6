"""The operations and states of runtime.md, in order and out of order."""

from __future__ import annotations

import json
import signal

import pytest

from tests.conformance.conftest import Case

pytestmark = pytest.mark.root


def test_states(case: Case) -> None:
    """runtime.md, "State": created, running, stopped, with what else the state holds."""
    path = case.write("wait")
    case.runtime.ok("create", "--bundle", path, case.identity)
    created = case.runtime.state(case.identity)
    assert created["status"] == "created"
    assert created["id"] == case.identity
    assert created["bundle"] == path
    assert created["ociVersion"].startswith("1.")
    assert created["pid"] > 0
    case.runtime.ok("start", case.identity)
    running = case.runtime.state(case.identity)
    assert (running["status"], running["pid"]) == ("running", created["pid"])
    case.runtime.ok("kill", case.identity, "KILL")
    case.reaped(created["pid"])
    stopped = case.runtime.state(case.identity)
    assert stopped["status"] == "stopped"
    assert not stopped.get("pid")
    case.runtime.ok("delete", case.identity)
    assert case.runtime.call("state", case.identity).returncode != 0


def test_create_does_not_run_the_program(case: Case) -> None:
    """runtime.md, "Create": `process.args` MUST NOT run before `start`."""
    case.process["args"] = ["/see", "+", "create", "/etc/ran", "x"]
    case.runtime.ok("create", "--bundle", case.write(), case.identity)
    assert not (case.rootfs / "etc/ran").exists()
    pid = case.runtime.state(case.identity)["pid"]
    case.runtime.ok("start", case.identity)
    assert case.code_of(pid) == 0
    assert (case.rootfs / "etc/ran").exists()


@pytest.mark.differs(crun="1.8 wants a process for create", runc="1.1 wants a process for create")
def test_process_is_for_start(case: Case) -> None:
    """config.md, "Process": REQUIRED when `start` is called, which is an error without it."""
    del case.config["process"]
    case.runtime.ok("create", "--bundle", case.write(), case.identity)
    done = case.runtime.call("start", case.identity)
    assert done.returncode != 0
    assert case.runtime.state(case.identity)["status"] == "created"
    case.runtime.ok("delete", "--force", case.identity)


def test_an_identity_is_taken_once(case: Case) -> None:
    """runtime.md, "Create": an id in use MUST be an error, and leave its container alone."""
    pid = case.start()
    again = case.runtime.call("create", "--bundle", str(case.bundle), case.identity)
    assert again.returncode != 0
    state = case.runtime.state(case.identity)
    assert (state["status"], state["pid"]) == ("running", pid)


def test_start_wants_a_created_container(case: Case) -> None:
    """runtime.md, "Start": of one that is not created it MUST be an error without effect."""
    pid = case.start()
    assert case.runtime.call("start", case.identity).returncode != 0
    assert case.runtime.state(case.identity)["pid"] == pid
    case.runtime.ok("kill", case.identity, "KILL")
    case.reaped(pid)
    assert case.runtime.call("start", case.identity).returncode != 0


def test_kill_wants_a_live_container(case: Case) -> None:
    """runtime.md, "Kill": of one that is neither created nor running it MUST be an error."""
    pid = case.start()
    case.runtime.ok("kill", case.identity, "KILL")
    case.reaped(pid)
    assert case.runtime.call("kill", case.identity, "TERM").returncode != 0


def test_kill_of_a_created_container(case: Case) -> None:
    """runtime.md, "Kill": a created container takes signals as well."""
    case.runtime.ok("create", "--bundle", case.write("wait"), case.identity)
    pid = case.runtime.state(case.identity)["pid"]
    case.runtime.ok("kill", case.identity, "KILL")
    assert case.code_of(pid) == -signal.SIGKILL


@pytest.mark.parametrize("name", ["TERM", "SIGTERM", "15", "USR1", "10", "HUP"])
def test_signals(case: Case, name: str) -> None:
    """runtime.md, "Kill": the signal arrives at the process, by name or number."""
    pid = case.start_waiting()
    number = {"USR1": 10, "10": 10, "HUP": 1}.get(name, 15)
    case.runtime.ok("kill", case.identity, name)
    assert case.code_of(pid) == 100 + number


@pytest.mark.differs(crun="1.8 takes an unknown signal for 0 and says nothing")
def test_an_unknown_signal_is_refused(case: Case) -> None:
    """runtime.md, "Kill": what cannot be done MUST be an error without effect."""
    case.start()
    assert case.runtime.call("kill", case.identity, "NOSUCH").returncode != 0
    assert case.runtime.state(case.identity)["status"] == "running"


def test_delete_wants_a_stopped_container(case: Case) -> None:
    """runtime.md, "Delete": of one that is not stopped it MUST be an error without effect."""
    pid = case.start()
    assert case.runtime.call("delete", case.identity).returncode != 0
    assert case.runtime.state(case.identity)["pid"] == pid


def test_delete_takes_all_of_it(case: Case) -> None:
    """runtime.md, "Delete": what `create` made goes; the id is free again."""
    for _ in range(2):
        pid = case.start()
        case.runtime.ok("kill", case.identity, "KILL")
        case.reaped(pid)
        case.runtime.ok("delete", case.identity)
    assert case.runtime.call("delete", case.identity).returncode != 0


@pytest.mark.parametrize("verb", ["state", "start", "kill", "delete"])
def test_a_container_that_is_not_there(case: Case, verb: str) -> None:
    """runtime.md, "Query State": an id of no container MUST be an error."""
    done = case.runtime.call(verb, case.identity)
    assert done.returncode != 0
    assert done.stderr


def test_a_failed_create_leaves_nothing(case: Case) -> None:
    """runtime.md, "Create": an error leaves no container; the id is free."""
    case.mount("/data", type="nosuch", source="nosuch")
    assert case.runtime.call("create", "--bundle", case.write(), case.identity).returncode != 0
    assert case.runtime.call("state", case.identity).returncode != 0
    case.config["mounts"].pop()
    assert case.one("pid") == 1


def test_state_of_a_bundle_given_relatively(case: Case) -> None:
    """runtime.md, "State": `bundle` is the absolute path."""
    case.write("wait")
    case.runtime.ok("run", "--detach", case.identity, cwd=case.bundle)
    assert case.runtime.state(case.identity)["bundle"] == str(case.bundle)


def test_pid_file(case: Case) -> None:
    """runtime.md, "Create": `--pid-file` of runc's command line holds the pid of the state."""
    file = case.bundle / "pid"
    path = case.write("wait")
    case.runtime.ok("run", "--detach", "--bundle", path, "--pid-file", str(file), case.identity)
    assert int(file.read_text()) == case.runtime.state(case.identity)["pid"]


def test_list(case: Case) -> None:
    """runtime.md, "Query State": `list` of runc's command line gives the same states."""
    pid = case.start()
    (listed,) = json.loads(case.runtime.ok("list", "--format", "json"))
    assert (listed["id"], listed["pid"], listed["status"]) == (case.identity, pid, "running")


def test_pause_and_resume(case: Case) -> None:
    """runtime.md, "State": a runtime MAY have more states; paused is runc's."""
    case.start()
    case.runtime.ok("pause", case.identity)
    assert case.runtime.state(case.identity)["status"] == "paused"
    case.runtime.ok("resume", case.identity)
    assert case.runtime.state(case.identity)["status"] == "running"
