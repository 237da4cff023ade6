"""The words that podman, containerd and CRI-O look for in what a runtime says, and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runtime.commands.verbs import HELP
from tests.integration.runtime.conftest import Bundle, Runtime

pytestmark = pytest.mark.root


def said(runtime: Runtime, *arguments: str) -> str:
    done = runtime.call(*arguments)
    assert done.returncode != 0
    return done.stderr


def same_as_runc(runtime: Runtime) -> None:
    if runtime.name == "crun":
        pytest.skip("crun has words of its own")


@pytest.mark.parametrize("verb", ["state", "start", "delete", "kill", "pause", "resume"])
def test_absent(any_runtime: Runtime, identity: str, verb: str) -> None:
    same_as_runc(any_runtime)
    assert "container does not exist" in said(any_runtime, verb, identity)


def test_present(any_runtime: Runtime, bundle: Bundle, identity: str) -> None:
    same_as_runc(any_runtime)
    path = bundle.write("/bin/sleep", "100")
    any_runtime.ok("run", "--detach", "--bundle", path, identity)
    assert "container with given ID already exists" in said(
        any_runtime, "create", "--bundle", path, identity
    )
    assert "cannot start an already running container" in said(any_runtime, "start", identity)
    assert f"cannot delete container {identity} that is not stopped: running" in said(
        any_runtime, "delete", identity
    )
    assert "container not paused" in said(any_runtime, "resume", identity)
    any_runtime.ok("pause", identity)
    assert "container not running" in said(any_runtime, "pause", identity)
    any_runtime.ok("resume", identity)


def test_stopped(any_runtime: Runtime, bundle: Bundle, identity: str) -> None:
    same_as_runc(any_runtime)
    any_runtime.ok("run", "--keep", "--bundle", bundle.write("/bin/true"), identity)
    assert "cannot start a container that has stopped" in said(any_runtime, "start", identity)
    assert "container not running" in said(any_runtime, "kill", identity)
    done = any_runtime.call("exec", identity, "true")
    assert "cannot exec in a stopped container" in done.stderr
    assert done.returncode == 255
    any_runtime.ok("delete", identity)


def test_an_exec_that_fails_is_told_from_its_command(
    any_runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    same_as_runc(any_runtime)
    assert any_runtime.call("exec", identity, "true").returncode == 255
    any_runtime.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    assert any_runtime.call("exec", identity, "false").returncode == 1
    done = any_runtime.call("exec", identity, "nosuch")
    assert "executable file not found in $PATH" in done.stderr


def test_a_terminal_without_a_console(any_runtime: Runtime, bundle: Bundle, identity: str) -> None:
    same_as_runc(any_runtime)
    path = bundle.shell("true", terminal=True)
    for verb in (("create",), ("run", "--detach")):
        done = any_runtime.call(*verb, "--bundle", path, identity)
        assert "without setting console socket" in done.stderr


def test_the_version(any_runtime: Runtime) -> None:
    lines = any_runtime.ok("--version").splitlines()
    assert lines[0].split()[1] == "version"
    assert any(line.startswith("spec: 1.") for line in lines)


def test_every_verb_tells_its_flags(runtime: Runtime) -> None:
    top = runtime.ok("--help")
    for verb in HELP:
        assert f"\n  {verb} " in top
        shown = runtime.ok(verb, "--help")
        assert shown.startswith(f"usage: stacker-runtime {verb} ")
        assert "--help" in shown
        for line in shown.split("\n\n")[-1].splitlines():
            assert len(line) <= 100
            assert len(line.split("  ")) > 2, f"{verb}: a flag without a word: {line}"


@pytest.mark.parametrize(
    "flags",
    [("--log-format", "xml"), ("--cgroup-manager", "nosuch"), ("--rootless", "perhaps")],
)
def test_a_global_flag_has_few_values(runtime: Runtime, flags: tuple[str, str]) -> None:
    assert runtime.call(*flags, "list").returncode == 64


def test_debug_says_more(runtime: Runtime, tmp_path: Path) -> None:
    log = tmp_path / "log"
    runtime.ok("--debug", "--log", str(log), "--log-format", "json", "list")
    assert {json.loads(line)["level"] for line in log.read_text().splitlines()} == {"debug"}


def test_another_name_for_the_configuration(
    any_runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    if any_runtime.name == "runc":
        pytest.skip("a flag of crun")
    path = Path(bundle.write("/bin/echo", "other"))
    (path / "config.json").rename(path / "other.json")
    said = any_runtime.ok(
        "run", "--bundle", str(path), "--config", str(path / "other.json"), identity
    )
    assert said == "other\n"


def test_ps_of_a_stopped_container(any_runtime: Runtime, bundle: Bundle, identity: str) -> None:
    """No process, and no error: runc prints the heading alone."""
    same_as_runc(any_runtime)
    any_runtime.ok("run", "--keep", "--bundle", bundle.write("/bin/true"), identity)
    assert len(any_runtime.ok("ps", identity).splitlines()) == 1


def test_an_id_says_what_is_wrong_with_it(runtime: Runtime, bundle: Bundle) -> None:
    text = said(runtime, "create", "--bundle", bundle.write("/bin/true"), "a/b")
    assert "invalid container ID format" in text
    assert "invalid character '/' in the container ID" in text


def test_a_log_that_cannot_be_opened(runtime: Runtime, tmp_path: Path) -> None:
    done = runtime.call("--log", f"{tmp_path}/absent/log", "list")
    assert done.returncode == 1
    assert f"--log: open {tmp_path}/absent/log: no such file or directory" in done.stderr
    runtime.call("--log", f"file:{tmp_path}/log", "state", "nobody")
    assert "container does not exist" in (tmp_path / "log").read_text()
