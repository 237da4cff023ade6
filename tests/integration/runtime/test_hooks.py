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
    assert "hook createRuntime[1] /bin/sh: ended with 3: no network here" in done.stderr


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
    assert "hook startContainer[0]" in done.stderr
    assert not (bundle.rootfs / "ran").exists()
    runtime.await_status(identity, "stopped")


def test_a_failing_poststart_hook_is_only_told(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    add_hook(bundle, "poststart", "exit 3")
    add_hook(bundle, "poststart", f"touch {bundle.path}/second")
    runtime.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    assert runtime.state(identity)["status"] == "running"
    assert (bundle.path / "second").exists()
