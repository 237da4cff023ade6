"""The parts of launch that need no container: the guard, the channel, finding a program."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.errors import CommandNotRunnable, LaunchFailed
from runtime.launch import exec_init, init, messages
from runtime.launch.channel import channel_pair
from runtime.launch.guard import close_the_door
from runtime.launch.program import environment_of, find_program


def in_child(function: Callable[[], object]) -> bool:
    """Whether it returned; in a child, as what the guard does cannot be undone."""
    pid = os.fork()
    if pid == 0:
        code = 2
        try:
            function()
            code = 0
        except LaunchFailed:
            code = 1
        finally:
            os._exit(code)
    return {0: True, 1: False}[os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])]


def test_after_the_door_is_closed_nothing_is_imported() -> None:
    def attempt() -> None:
        close_the_door()
        import this  # noqa: F401  # pyright: ignore[reportUnusedImport]

    assert not in_child(attempt)


def test_after_the_door_is_closed_no_codec_is_looked_up() -> None:
    def attempt() -> None:
        close_the_door()
        "a.b".encode("punycode")

    assert not in_child(attempt)


def test_after_the_door_is_closed_the_steps_go_on() -> None:
    def attempt() -> None:
        close_the_door()
        assert "x".encode("utf-8", "surrogateescape") == b"x"
        try:
            os.stat("/nosuch")
        except OSError as error:
            str(error)

    assert in_child(attempt)


def test_a_message_a_warning_and_a_fault_cross() -> None:
    heard: list[str] = []
    parent, child = channel_pair(heard.append)
    child.warn("careful")
    child.send(messages.CHILD, pid=7)
    assert parent.receive(messages.CHILD)["pid"] == 7
    assert heard == ["careful"]
    child.fault(CommandNotRunnable("exec x: not found", 127))
    with pytest.raises(CommandNotRunnable, match="exec x: not found") as caught:
        parent.receive(messages.READY)
    assert caught.value.exit_code == 127
    child.close()
    with pytest.raises(LaunchFailed, match="died before it said ready"):
        parent.receive(messages.READY)
    parent.receive_end()
    parent.close()


def test_a_fault_of_any_length_crosses() -> None:
    parent, child = channel_pair(print)
    child.fault(LaunchFailed("x" * 10**6))
    with pytest.raises(LaunchFailed, match="xxx"):
        parent.receive(messages.READY)
    parent.close()
    child.close()


def test_an_unexpected_message_is_a_failure() -> None:
    parent, child = channel_pair(print)
    child.send(messages.READY)
    with pytest.raises(LaunchFailed, match="said ready instead of mounted"):
        parent.receive(messages.MOUNTED)
    parent.close()
    child.close()


def test_of_two_entries_the_last_one_counts() -> None:
    assert environment_of(("A=1", "B=x=y", "A=2")) == {"A": "2", "B": "x=y"}


def test_a_program_is_looked_for_as_execvp_does(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for directory in (first, second):
        directory.mkdir()
    (first / "tool").write_text("")
    (second / "tool").write_text("")
    (second / "tool").chmod(0o755)
    path = {"PATH": f"{first}:{second}"}
    assert find_program("tool", path) == str(second / "tool")
    assert find_program(str(second / "tool"), {}) == str(second / "tool")
    with pytest.raises(CommandNotRunnable, match="not found") as missing:
        find_program("other", path)
    assert missing.value.exit_code == 127
    with pytest.raises(CommandNotRunnable, match="permission denied") as denied:
        find_program("tool", {"PATH": str(first)})
    assert denied.value.exit_code == 126
    with pytest.raises(CommandNotRunnable, match="is a directory"):
        find_program(str(first), {})


ORDER = [
    "wait_for_go", "join_cgroup", "forbid_imports", "close_descriptors", "load_privileged_filter",
    "drop_privileges", "enter_working_directory_as_user", "say_ready", "run_program",
]  # fmt: skip


def test_both_lists_of_steps_drop_privileges_before_they_execute() -> None:
    for todo in (init.STEPS, exec_init.STEPS):
        names = [step.__name__ for step in todo]
        assert names[-1] == "run_program"
        assert [name for name in names if name in ORDER] == ORDER
