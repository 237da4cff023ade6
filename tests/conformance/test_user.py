"""`process.user` and `process.capabilities`: who the process is, and what it may do."""

from __future__ import annotations

import pytest

from tests.conformance.conftest import Case

pytestmark = pytest.mark.root
CHOWN, KILL, SETPCAP, NET_BIND = 1 << 0, 1 << 5, 1 << 8, 1 << 10
NAMES = {"CAP_CHOWN": CHOWN, "CAP_KILL": KILL, "CAP_SETPCAP": SETPCAP}


def test_user_and_groups(case: Case) -> None:
    """config.md, "POSIX-platform User": `uid`, `gid` and `additionalGids` in the namespace."""
    case.process["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [5, 77, 65000]}
    seen = case.one("user")
    assert seen["uids"] == [1000] * 3
    assert seen["gids"] == [1001] * 3
    assert sorted(seen["groups"]) == [5, 77, 65000]


def test_no_groups_of_the_runtime_are_left(case: Case) -> None:
    """config.md, "POSIX-platform User": only `additionalGids` are added to the process."""
    case.process["user"] = {"uid": 7, "gid": 7}
    assert [gid for gid in case.one("user")["groups"] if gid != 7] == []


@pytest.mark.parametrize("mask", [0o077, 0o027, 0o000])
def test_umask(case: Case, mask: int) -> None:
    """config.md, "POSIX-platform User": `umask` is the mask of the process."""
    case.process["user"]["umask"] = mask
    assert case.one("user")["umask"] == mask


@pytest.mark.differs(runc="allows identities up to 2147483647 only")
def test_largest_identities(case: Case) -> None:
    """config.md, "POSIX-platform User": identities are 32 bits wide; none wraps around."""
    case.process["user"] = {"uid": 2**32 - 2, "gid": 2**31}
    seen = case.one("user")
    assert seen["uids"] == [2**32 - 2] * 3
    assert seen["gids"] == [2**31] * 3


@pytest.mark.parametrize(
    "uid",
    [
        -1,
        2**32,
        pytest.param("root", marks=pytest.mark.differs(crun="reads a uid that is a string as 0")),
        1.5,
    ],
)
def test_identities_out_of_range_are_refused(case: Case, uid: object) -> None:
    """config.md, "POSIX-platform User": `uid` is a uint32; nothing else becomes user 0."""
    case.process["user"]["uid"] = uid
    case.refused()


def test_five_sets(case: Case) -> None:
    """config.md, "Linux Process": each set of `capabilities` holds what its list names."""
    case.process["capabilities"] = {
        "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_SETPCAP"],
        "permitted": ["CAP_CHOWN", "CAP_KILL"],
        "effective": ["CAP_CHOWN"],
        "inheritable": ["CAP_KILL"],
        "ambient": ["CAP_KILL"],
    }
    case.process["user"] = {"uid": 1000, "gid": 1000}
    seen = case.one("capabilities")
    assert seen["bounding"] == CHOWN | KILL | SETPCAP
    assert seen["inheritable"] == KILL
    assert seen["ambient"] == KILL
    # after execve a user other than root has the ambient ones (capabilities(7))
    assert seen["permitted"] == seen["effective"] == KILL


def test_root_has_its_sets(case: Case) -> None:
    """config.md, "Linux Process": root gets the bounding set over execve, and no more."""
    names = ["CAP_CHOWN", "CAP_KILL"]
    case.process["capabilities"] = dict.fromkeys(("bounding", "permitted", "effective"), names)
    seen = case.one("capabilities")
    assert seen["permitted"] == seen["effective"] == seen["bounding"] == CHOWN | KILL
    assert seen["inheritable"] == seen["ambient"] == 0


def test_no_sets_are_no_capabilities(case: Case) -> None:
    """config.md, "Linux Process": a set that is not listed is empty."""
    case.process["capabilities"] = {}
    seen = case.one("capabilities")
    assert set(seen.values()) == {0}
