"""`process.rlimits`: soft and hard, by name, each once."""

from __future__ import annotations

import resource

import pytest

from tests.conformance.conftest import Case

pytestmark = pytest.mark.root
NAMES = {
    "CPU": 0, "FSIZE": 1, "DATA": 2, "STACK": 3, "CORE": 4, "RSS": 5, "NPROC": 6, "NOFILE": 7,
    "MEMLOCK": 8, "AS": 9, "LOCKS": 10, "SIGPENDING": 11, "MSGQUEUE": 12, "NICE": 13,
    "RTPRIO": 14, "RTTIME": 15,
}  # fmt: skip
LARGE = 1 << 30


@pytest.mark.parametrize("name", NAMES)
def test_each(case: Case, name: str) -> None:
    """config.md, "POSIX process": `soft` and `hard` are the limit's, as setrlimit has them."""
    number = NAMES[name]
    most = resource.getrlimit(number)[1]
    hard = LARGE if most == resource.RLIM_INFINITY else min(most, LARGE)
    soft = hard // 2 if hard > 1 else hard
    case.process["rlimits"] = [{"type": f"RLIMIT_{name}", "soft": soft, "hard": hard}]
    assert case.one("limits")[number] == [soft, hard]


def test_others_are_inherited(case: Case) -> None:
    """config.md, "POSIX process": what is not listed is the runtime's."""
    case.process["rlimits"] = [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]
    assert case.one("limits")[2] == [(1 << 64) - 1] * 2


@pytest.mark.differs(
    crun="1.8 takes a limit that is listed twice", runc="1.1 takes a limit that is listed twice"
)
def test_a_type_that_is_listed_twice_is_refused(case: Case) -> None:
    """config.md, "POSIX process": duplicate entries MUST be an error."""
    limit = {"type": "RLIMIT_NOFILE", "soft": 64, "hard": 64}
    case.process["rlimits"] = [limit, limit]
    case.refused()


def test_an_unknown_type_is_refused(case: Case) -> None:
    """config.md, "POSIX process": a type that cannot be mapped MUST be an error."""
    case.process["rlimits"] = [{"type": "RLIMIT_NOSUCH", "soft": 1, "hard": 1}]
    case.refused()


def test_a_soft_limit_above_the_hard_one_is_refused(case: Case) -> None:
    """config.md, "POSIX process": `soft` is at most `hard` (setrlimit)."""
    case.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 65, "hard": 64}]
    case.refused()
