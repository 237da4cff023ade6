"""`hooks`: six kinds, each at its moment, in its namespaces, with the state on its stdin."""

from __future__ import annotations

import json
import os

import pytest

from tests.conformance.conftest import Case, Config

pytestmark = pytest.mark.root
RUNTIME = ("prestart", "createRuntime", "poststart", "poststop")
CONTAINER = ("createContainer", "startContainer")


def script(case: Case, name: str, body: str) -> Config:
    """A hook of the host's shell, which reads its stdin: crun 1.8 may die of SIGPIPE otherwise."""
    read = "" if "cat" in body else "cat >/dev/null; "
    text = f"out={case.bundle}/{name}\n{read}{body}"
    return {"path": "/bin/sh", "args": ["sh", "-c", text]}


def listed(case: Case, *names: str) -> list[str]:
    return [name for name in names if (case.bundle / name).exists()]


def finish(case: Case) -> None:
    """Start, end and delete a created container."""
    pid = case.runtime.state(case.identity)["pid"]
    case.runtime.ok("start", case.identity)
    case.reaped(pid)
    case.runtime.ok("delete", case.identity)


@pytest.mark.differs(runc="1.1 runs the poststart hooks in create")
def test_moments(case: Case) -> None:
    """runtime.md, "Lifecycle": create, start and delete run the hooks of theirs."""
    kinds = ("prestart", "createRuntime", "createContainer", "poststart", "poststop")
    case.config["hooks"] = {kind: [script(case, kind, "date +%s%N > $out")] for kind in kinds}
    path = case.write("pid")
    case.runtime.ok("create", "--bundle", path, case.identity)
    assert listed(case, *kinds) == ["prestart", "createRuntime", "createContainer"]
    finish(case)
    assert listed(case, *kinds) == list(kinds)
    moments = [int((case.bundle / kind).read_text()) for kind in kinds]
    assert moments == sorted(moments)


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "poststart", "poststop"])
def test_state_on_stdin(case: Case, kind: str) -> None:
    """config.md, "POSIX-platform Hooks": the state MUST be passed over stdin."""
    case.config["hooks"] = {kind: [script(case, "state", "cat > $out")]}
    case.config["annotations"] = {"com.example": "kept"}
    case.runtime.ok("create", "--bundle", case.write("pid"), case.identity)
    pid = case.runtime.state(case.identity)["pid"]
    finish(case)
    state = json.loads((case.bundle / "state").read_text())
    assert state["id"] == case.identity
    assert state["bundle"] == str(case.bundle)
    assert state["annotations"]["com.example"] == "kept"
    if kind != "poststop":
        assert state["pid"] == pid


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        pytest.param(
            "createRuntime",
            "creating",
            marks=pytest.mark.differs(crun="1.8 says created to the hooks of create"),
        ),
        pytest.param(
            "poststart",
            "running",
            marks=pytest.mark.differs(runc="1.1 runs the poststart hooks in create"),
        ),
        ("poststop", "stopped"),
    ],
)
def test_status_on_stdin(case: Case, kind: str, status: str) -> None:
    """runtime.md, "State": `status` is that of the moment."""
    case.config["hooks"] = {kind: [script(case, "state", "cat > $out")]}
    case.runtime.ok("create", "--bundle", case.write("pid"), case.identity)
    finish(case)
    assert json.loads((case.bundle / "state").read_text())["status"] == status


@pytest.mark.parametrize("kind", RUNTIME)
def test_hooks_of_the_runtime_namespace(case: Case, kind: str) -> None:
    """config.md, "POSIX-platform Hooks": these are called in the runtime namespace."""
    case.config["hooks"] = {kind: [script(case, "ns", "readlink /proc/self/ns/net > $out")]}
    case.runtime.ok("create", "--bundle", case.write("pid"), case.identity)
    finish(case)
    assert (case.bundle / "ns").read_text().strip() == os.readlink("/proc/self/ns/net")


def test_create_container_hooks_run_inside(case: Case) -> None:
    """config.md, "CreateContainer Hooks": resolved outside, called in the container namespace."""
    hook = script(case, "ns", "readlink /proc/self/ns/net > $out")
    case.config["hooks"] = {"createContainer": [hook]}
    case.runtime.ok("create", "--bundle", case.write("pid"), case.identity)
    pid = case.runtime.state(case.identity)["pid"]
    inside = os.readlink(f"/proc/{pid}/ns/net")
    finish(case)
    assert (case.bundle / "ns").read_text().strip() == inside


def test_start_container_hooks_run_inside(case: Case) -> None:
    """config.md, "StartContainer Hooks": resolved and called in the container namespace."""
    hook = {"path": "/see", "args": ["/see", "+", "create", "/etc/hooked", "x"]}
    case.config["hooks"] = {"startContainer": [hook]}
    case.runtime.ok("create", "--bundle", case.write("pid"), case.identity)
    assert not (case.rootfs / "etc/hooked").exists()
    finish(case)
    assert (case.rootfs / "etc/hooked").exists()


def test_order_arguments_and_environment(case: Case) -> None:
    """config.md, "POSIX-platform Hooks": in the listed order, with `args` and `env`."""
    hooks = []
    for number in (1, 2, 3):
        hook = script(case, "said", f'echo "{number} $0 $A" >> $out; env > $out.env')
        hook["args"] = [f"name{number}", *hook["args"][1:]]
        hook["env"] = [f"A={number}"]
        hooks.append(hook)
    case.config["hooks"] = {"createRuntime": hooks}
    case.runtime.ok("create", "--bundle", case.write("pid"), case.identity)
    finish(case)
    assert (case.bundle / "said").read_text() == "1 name1 1\n2 name2 2\n3 name3 3\n"
    names = {line.partition("=")[0] for line in (case.bundle / "said.env").read_text().splitlines()}
    assert names <= {"A", "PWD", "SHLVL", "_", "OLDPWD"}


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_a_failed_hook_of_create(case: Case, kind: str) -> None:
    """runtime.md, "Lifecycle": if it fails, an error, and the container is destroyed."""
    case.config["hooks"] = {kind: [script(case, "x", "exit 3")]}
    assert case.runtime.call("create", "--bundle", case.write(), case.identity).returncode != 0
    assert case.runtime.call("state", case.identity).returncode != 0


@pytest.mark.differs(
    crun="1.8 returns from start before it has run the startContainer hooks",
    runc="1.1 returns from start before it has run the startContainer hooks",
)
def test_a_failed_hook_of_start(case: Case) -> None:
    """runtime.md, "Lifecycle": a failed startContainer hook stops the start."""
    case.config["hooks"] = {
        "startContainer": [{"path": "/see", "args": ["/see", "+", "exit", "3"]}]
    }
    case.process["args"] = ["/see", "+", "create", "/etc/ran", "x"]
    case.runtime.ok("create", "--bundle", case.write(), case.identity)
    assert case.runtime.call("start", case.identity).returncode != 0
    assert not (case.rootfs / "etc/ran").exists()


@pytest.mark.differs(runc="1.1 runs no further poststop hook after one that failed")
def test_a_failed_hook_of_delete(case: Case) -> None:
    """runtime.md, "Lifecycle": a poststop failure is logged, the rest goes on."""
    good = script(case, "went-on", ": > $out")
    case.config["hooks"] = {"poststop": [script(case, "x", "exit 3"), good]}
    case.runtime.ok("create", "--bundle", case.write("pid"), case.identity)
    finish(case)
    assert listed(case, "went-on") == ["went-on"]
    assert case.runtime.call("state", case.identity).returncode != 0


def test_a_hook_that_takes_too_long(case: Case) -> None:
    """config.md, "POSIX-platform Hooks": `timeout` seconds, after which it is aborted."""
    case.config["hooks"] = {"createRuntime": [{"timeout": 1, **script(case, "x", "exec sleep 60")}]}
    assert case.runtime.call("create", "--bundle", case.write(), case.identity).returncode != 0


def test_a_hook_that_is_not_there(case: Case) -> None:
    """config.md, "POSIX-platform Hooks": `path` must be executable."""
    case.config["hooks"] = {"createRuntime": [{"path": "/nosuch/hook"}]}
    assert case.runtime.call("create", "--bundle", case.write(), case.identity).returncode != 0


def test_a_relative_path_is_refused(case: Case) -> None:
    """config.md, "POSIX-platform Hooks": `path` MUST be absolute."""
    case.config["hooks"] = {"createRuntime": [{"path": "usr/bin/true"}]}
    done = case.runtime.call("create", "--bundle", case.write(), case.identity, cwd="/")
    assert done.returncode != 0
