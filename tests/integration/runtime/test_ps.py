"""ps: the processes of a container as a table, with columns as ps(1) has them, and as JSON."""

from __future__ import annotations

import json

import pytest

from tests.integration.runtime.conftest import Bundle, Runtime

pytestmark = pytest.mark.root


def test_the_table_that_ps_prints(any_runtime: Runtime, bundle: Bundle, identity: str) -> None:
    if any_runtime.name == "crun":
        pytest.skip("crun prints the numbers only")
    any_runtime.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    pid = any_runtime.state(identity)["pid"]
    heading, line = any_runtime.ok("ps", identity).splitlines()
    assert heading.split() == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    fields = line.split()
    assert (fields[0], fields[1], fields[5:]) == (
        "root", str(pid), ["?", "00:00:00", "/bin/sleep", "100"],
    )  # fmt: skip


def test_columns_may_be_chosen(any_runtime: Runtime, bundle: Bundle, identity: str) -> None:
    if any_runtime.name == "crun":
        pytest.skip("crun takes no options of ps")
    path = bundle.write("/bin/sleep", "100", user={"uid": 7, "gid": 7})
    any_runtime.ok("run", "--detach", "--bundle", path, identity)
    pid = any_runtime.state(identity)["pid"]
    heading, line = any_runtime.ok("ps", identity, "-eo", "pid,comm").splitlines()
    assert heading.split() == ["PID", "COMMAND"]
    assert line.split() == [str(pid), "sleep"]
    heading, line = any_runtime.ok("ps", identity, "aux").splitlines()
    assert heading.split()[:4] == ["USER", "PID", "%CPU", "%MEM"]
    assert line.split()[:2] == ["lp", str(pid)]


def test_a_name_cannot_reach_the_screen(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    path = bundle.write("/bin/sleep", "100", args=["/bin/sleep", "100"])
    runtime.ok("run", "--detach", "--bundle", path, identity)
    runtime.ok("exec", "--detach", identity, "/bin/sh", "-c", "sleep 100; :", "\x1b[31mred\n")
    shown = runtime.ok("ps", identity)
    assert "\x1b" not in shown
    assert "?[31mred?" in shown
    assert len(shown.splitlines()) == 1 + len(json.loads(runtime.ok("ps", "-f", "json", identity)))


def test_what_is_not_known_is_said(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    runtime.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    for options in (("-o", "pid,nosuch"), ("--forest",), ("-Z",)):
        assert runtime.call("ps", identity, *options).returncode == 64


def test_the_columns_of_x(any_runtime: Runtime, bundle: Bundle, identity: str) -> None:
    if any_runtime.name == "crun":
        pytest.skip("crun takes no options of ps")
    any_runtime.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "1000"), identity)
    heading, line = any_runtime.ok("ps", identity, "-e", "-x").splitlines()
    assert heading.startswith(" ")
    assert heading.split() == ["PID", "TTY", "STAT", "TIME", "COMMAND"]
    assert line.split()[0] == str(any_runtime.state(identity)["pid"])
