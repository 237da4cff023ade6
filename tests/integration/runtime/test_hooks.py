"""The six kinds of hooks: when, where, with what on stdin, and what a failure means."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.integration.runtime.conftest import Bundle, Runtime

pytestmark = pytest.mark.root
KINDS = (
    "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop",
)  # fmt: skip
OUTSIDE = ("prestart", "createRuntime", "poststart", "poststop")


def add_hook(bundle: Bundle, kind: str, script: str, **more: object) -> None:
    hook = {"path": "/bin/sh", "args": ["sh", "-c", script], **more}
    bundle.config.setdefault("hooks", {}).setdefault(kind, []).append(hook)


def test_all_six_at_their_moments(
    any_runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    shared = bundle.rootfs / "log"
    for kind in KINDS:
        inside = kind == "startContainer"
        line, state = ("/log", "/state") if inside else (str(shared), f"{log}.{kind}")
        script = f"echo {kind} $MARK >> {line}; cat > {state}"
        add_hook(bundle, kind, script, env=[f"MARK={kind[::-1]}", "PATH=/bin:/usr/bin"])
    path = bundle.shell("echo program >> /log")
    any_runtime.ok("create", "--bundle", path, identity)
    before = ["prestart", "createRuntime", "createContainer"]
    if any_runtime.name == "runc":
        # runc 1.1 runs poststart when init is ready, not when the program runs
        before.append("poststart")
    assert [line.split()[0] for line in shared.read_text().splitlines()] == before
    pid = any_runtime.state(identity)["pid"]
    any_runtime.ok("start", identity)
    os.waitpid(pid, 0)
    any_runtime.ok("delete", identity)
    lines = shared.read_text().splitlines()
    assert {line for line in lines if line != "program"} == {f"{one} {one[::-1]}" for one in KINDS}
    order = [line.split()[0] for line in lines]
    assert order.index("startContainer") < order.index("program")
    if any_runtime.name == "builtin":
        # crun does not wait for the program either, but races with it
        assert order.index("startContainer") < order.index("poststart")
    assert order[-1] == "poststop"
    for kind in OUTSIDE:
        state = json.loads(Path(f"{log}.{kind}").read_text())
        assert state["id"] == identity
        assert state["bundle"] == path
    assert json.loads(Path(f"{log}.createRuntime").read_text())["pid"] == pid
    assert json.loads(Path(f"{log}.poststop").read_text())["status"] == "stopped"


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_a_failing_hook_undoes_create(
    any_runtime: Runtime, bundle: Bundle, identity: str, kind: str
) -> None:
    add_hook(bundle, kind, "echo reason >&2; exit 3")
    path = bundle.shell("touch /ran")
    done = any_runtime.call("create", "--bundle", path, identity)
    assert done.returncode != 0
    assert any_runtime.call("state", identity).returncode != 0
    assert not (bundle.rootfs / "ran").exists()


def test_the_failure_says_which_hook_and_why(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    add_hook(bundle, "createRuntime", "exit 0")
    add_hook(bundle, "createRuntime", "echo no network here >&2; exit 3")
    done = runtime.call("create", "--bundle", bundle.write(), identity)
    assert (
        "error running createRuntime hook #1: /bin/sh: ended with 3: no network here" in done.stderr
    )


def test_a_hook_that_hangs_is_killed(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    add_hook(bundle, "createRuntime", "sleep 100", timeout=1)
    done = runtime.call("create", "--bundle", bundle.write(), identity)
    assert done.returncode != 0
    assert "did not end within 1 s" in done.stderr


def test_a_start_container_hook_fails_start(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    add_hook(bundle, "startContainer", "exit 3")
    runtime.ok("create", "--bundle", bundle.shell("touch /ran"), identity)
    done = runtime.call("start", identity)
    assert done.returncode != 0
    assert "error running startContainer hook #0:" in done.stderr
    assert not (bundle.rootfs / "ran").exists()
    runtime.await_status(identity, "stopped")


def test_a_failing_poststart_hook_stops_the_container(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    """runtime.md, "Lifecycle", step 9, as it reads since 1.2.1."""
    add_hook(bundle, "poststart", "exit 3")
    add_hook(bundle, "poststart", f"touch {bundle.path}/second")
    runtime.ok("create", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    done = runtime.call("start", identity)
    assert done.returncode != 0
    assert "error running poststart hook #0:" in done.stderr
    runtime.await_status(identity, "stopped")
    assert not (bundle.path / "second").exists()


def test_a_failing_poststop_hook_is_only_told(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    """Step 13: "MUST log a warning, but the remaining hooks and lifecycle continue"."""
    add_hook(bundle, "poststop", "exit 3")
    add_hook(bundle, "poststop", f"touch {bundle.path}/second")
    done = runtime.call("run", "--bundle", bundle.write("/bin/true"), identity)
    assert done.returncode == 0
    assert "error running poststop hook #0: /bin/sh: ended with 3" in done.stderr
    assert (bundle.path / "second").exists()


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_poststop_hooks_run_after_a_create_that_failed(
    runtime: Runtime, bundle: Bundle, identity: str, kind: str
) -> None:
    """Steps 3 to 5: "continue the lifecycle at step 12", of which 13 is the poststop hooks."""
    add_hook(bundle, kind, "exit 3")
    add_hook(bundle, "poststop", f"cat > {bundle.path}/undone")
    assert runtime.call("create", "--bundle", bundle.write(), identity).returncode != 0
    state = json.loads((bundle.path / "undone").read_text())
    assert (state["id"], state["status"]) == (identity, "stopped")
    assert "pid" not in state


def test_each_hook_gets_the_status_of_its_moment(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    """config.md, "POSIX-platform Hooks": the state on stdin; runtime.md, "State": its words."""
    for kind in KINDS:
        place = "" if kind == "startContainer" else str(bundle.rootfs)
        add_hook(bundle, kind, f"cat > {place}/{kind}.json")
    runtime.ok("run", "--bundle", bundle.write("/bin/true"), identity)
    seen = {kind: json.loads((bundle.rootfs / f"{kind}.json").read_text()) for kind in KINDS}
    assert {kind: state["status"] for kind, state in seen.items()} == {
        "prestart": "creating",
        "createRuntime": "creating",
        "createContainer": "creating",
        "startContainer": "created",
        "poststart": "running",
        "poststop": "stopped",
    }
    # in the container's pid namespace its process is the first
    assert (seen["createContainer"]["pid"], seen["startContainer"]["pid"]) == (1, 1)
    assert seen["prestart"]["pid"] == seen["poststart"]["pid"] > 1
    for state in seen.values():
        assert (state["id"], state["bundle"]) == (identity, str(bundle.path))


def test_each_hook_runs_in_its_namespaces(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    """config.md: prestart, createRuntime, poststart and poststop in the runtime's namespaces."""
    names = ("mnt", "pid", "net", "uts", "ipc")
    links = " ".join(f"/proc/self/ns/{name}" for name in names)
    for kind in KINDS:
        place = "" if kind == "startContainer" else str(bundle.rootfs)
        add_hook(bundle, kind, f"for n in {links}; do readlink $n; done > {place}/{kind}.ns")
    runtime.ok("run", "--bundle", bundle.write("/bin/true"), identity)
    ours = [os.readlink(f"/proc/self/ns/{name}") for name in names]
    seen = {kind: (bundle.rootfs / f"{kind}.ns").read_text().split() for kind in KINDS}
    for kind in OUTSIDE:
        assert seen[kind] == ours
    for kind in ("createContainer", "startContainer"):
        assert not set(seen[kind]) & set(ours)
    assert seen["createContainer"] == seen["startContainer"]


def test_arguments_and_environment_are_given_as_they_are(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    """config.md: `args` "with the same semantics as execv's argv", `env` as environ's."""
    said = bundle.path / "said"
    program = bundle.path / "hook"
    program.write_text(f"#!/bin/sh\ncat /proc/$$/environ > {said}\n")
    program.chmod(0o755)
    environment = ["B=2", "A=1", "B=3", "NOTHING=", "PLAIN", "C=x=y"]
    bundle.config["hooks"] = {"createRuntime": [{"path": str(program), "env": environment}]}
    runtime.ok("run", "--bundle", bundle.write("/bin/true"), identity)
    assert said.read_text().split("\0")[:-1] == environment
    bundle.config["hooks"] = {
        "createRuntime": [
            {"path": "/bin/sh", "args": ["another name", "-c", f"echo $0 > {said}"], "env": []}
        ]
    }
    runtime.ok("run", "--bundle", bundle.write("/bin/true"), identity)
    assert said.read_text() == "another name\n"


def test_the_environment_of_a_hook_that_names_none(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    """The caller's, as with runc and crun; of those inside the process's, never the caller's."""
    for kind in KINDS:
        place = "" if kind == "startContainer" else str(bundle.rootfs)
        add_hook(bundle, kind, f"/bin/env > {place}/env.{kind}")
    add_hook(bundle, "poststop", f"env > {bundle.rootfs}/env.none", env=[])
    path = bundle.write("/bin/true", env=["PATH=/bin", "MARK=of the process"])
    runtime.ok("run", "--bundle", path, identity, env={**os.environ, "MARK": "of the caller"})
    for kind in KINDS:
        whose = "process" if kind == "startContainer" else "caller"
        assert f"MARK=of the {whose}\n" in (bundle.rootfs / f"env.{kind}").read_text()
    assert "MARK" not in (bundle.rootfs / "env.none").read_text()


@pytest.mark.parametrize("restricted", [True, False])
def test_hooks_inside_are_filtered(
    runtime: Runtime, bundle: Bundle, identity: str, restricted: bool
) -> None:
    """They are the container's programs: what it may not call, they may not either."""
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL_PROCESS"}
    bundle.config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}
    add_hook(bundle, "startContainer", "exec mkdir /tmp/made")
    path = bundle.write("/bin/true", noNewPrivileges=restricted)
    done = runtime.call("run", "--bundle", path, identity)
    assert "startContainer hook #0: /bin/sh: killed: bad system call" in done.stderr
    assert not (bundle.rootfs / "tmp/made").exists()
