"""The status table, and which command is allowed in which status."""

from __future__ import annotations

import itertools

import pytest

from runtime.container.directory import check_id
from runtime.container.identity import is_alive, start_time
from runtime.container.state import State, listed_state, oci_state
from runtime.container.status import (
    ALLOWED,
    CREATED,
    CREATING,
    RUNNING,
    STOPPED,
    require,
    status_of,
)
from runtime.errors import SpecInvalid, StateConflict


@pytest.mark.parametrize(
    ("alive", "complete", "awaiting", "frozen", "status"),
    [
        (True, False, True, False, "creating"),
        (True, True, True, False, "created"),
        (True, True, False, False, "running"),
        (True, True, False, True, "paused"),
        (False, True, False, False, "stopped"),
        (False, False, True, True, "stopped"),
    ],
)
def test_the_table(alive: bool, complete: bool, awaiting: bool, frozen: bool, status: str) -> None:
    assert (
        status_of(alive=alive, complete=complete, awaiting_start=awaiting, frozen=frozen) == status
    )


def test_every_combination_has_a_status() -> None:
    for alive, complete, awaiting, frozen in itertools.product((False, True), repeat=4):
        assert status_of(alive=alive, complete=complete, awaiting_start=awaiting, frozen=frozen)


def test_a_refusal_has_the_words_of_runc() -> None:
    require("start", "one", CREATED)
    with pytest.raises(StateConflict, match=r"^cannot start an already running container: one$"):
        require("start", "one", RUNNING)
    with pytest.raises(StateConflict, match=r"^cannot start container one in the creating state$"):
        require("start", "one", CREATING)
    assert ALLOWED["delete"] == (STOPPED,)


@pytest.mark.parametrize("good", ["a", "A-b_c+d.e", "_x", "+", "-x", "9" * 255])
def test_ids_that_are_names(good: str) -> None:
    assert check_id(good) == good


@pytest.mark.parametrize(
    "bad", ["", ".", "..", ".a", "a/b", "a b", "a\n", "a\0", "ä", "१", "a" * 256, "../x", "%2e"]
)
def test_ids_that_are_not(bad: str) -> None:
    with pytest.raises(SpecInvalid):
        check_id(bad)


def test_documents_of_a_stopped_container_have_no_pid() -> None:
    state = State(id="x", pid=7, start_time=1, boot_id="b", bundle="/b", rootfs="/r", created="now")
    assert "pid" not in oci_state(state, STOPPED)
    assert oci_state(state, RUNNING)["pid"] == 7
    assert listed_state(state, STOPPED)["pid"] == 0


def test_a_process_is_known_by_its_start_time() -> None:
    started = start_time(1)
    assert started > 0
    assert is_alive(1, started)
    assert not is_alive(1, started + 1)
    assert not is_alive(0, 0)
