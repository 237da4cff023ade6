"""Which ids containers may have: subuid(5), and what processes of this host have already."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.linux.held_namespaces import HeldNamespaces, write_mappings
from runtime.linux.namespaces import CLONE_NEWUSER
from stacker.base.errors import Invalid
from stacker.base.id_range import LAST_ID, IdRange
from stacker.drivers.host.subordinate_ids import ranges_for_containers, ranges_in_use


def ranges(directory: Path, users: str | None, groups: str | None) -> tuple[IdRange, ...]:
    places = (directory / "subuid", directory / "subgid")
    for place, text in zip(places, (users, groups), strict=True):
        if text is not None:
            place.write_text(text)
    return ranges_for_containers(*places)


def test_where_nobody_has_said_anything_it_is_the_upper_half(tmp_path: Path) -> None:
    upper_half = (IdRange(2**31, LAST_ID - 2**31),)
    assert ranges(tmp_path, None, None) == upper_half
    assert ranges(tmp_path, "joe:100000:65536\n", "joe:100000:65536\n") == upper_half


def test_what_is_given_as_users_and_as_groups(tmp_path: Path) -> None:
    users = "joe:100000:65536\ncontainers:200000:1000\ncontainers:300000:500\n"
    assert ranges(tmp_path, users, "containers:200500:99600\n") == (
        IdRange(200_500, 500),
        IdRange(300_000, 100),
    )
    assert ranges(tmp_path, f"containers:{2**31}:{2**31}\n", f"containers:0:{2**32}\n") == (
        IdRange(2**31, LAST_ID - 2**31),
    )


@pytest.mark.parametrize(
    ("users", "groups", "reason"),
    [
        ("containers:1000:10\n", "containers:2000:10\n", "no ids that are the same in both"),
        ("containers:1000:10\n", "", "no ids that are the same in both"),
        ("containers:1000\n", "", "'containers:1000' is not of the form"),
        ("containers:-5:10\n", "", "is not of the form USER:FIRST:COUNT"),
    ],
)
def test_what_cannot_be_taken(tmp_path: Path, users: str, groups: str, reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        ranges(tmp_path, users, groups)


@pytest.mark.root
def test_what_a_process_has_is_in_use() -> None:
    mine = IdRange(3_000_000_000, 77)
    assert mine not in ranges_in_use()
    with HeldNamespaces(CLONE_NEWUSER) as pid:
        write_mappings(pid, mine.mappings)
        assert mine in ranges_in_use()
    assert mine not in ranges_in_use()
