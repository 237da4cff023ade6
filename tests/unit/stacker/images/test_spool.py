"""Names of an archive are keys, never paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from stacker.base.errors import Corrupt, NotFound
from stacker.drivers.images.spool import Spool
from tests.registries.made import member, tar_of


def spooled(tmp_path: Path, data: bytes, *, step: int = 700) -> Spool:
    spool = Spool(tmp_path / "spool")
    for start in range(0, len(data), step):
        spool.feed(data[start : start + step])
    spool.finish()
    return spool


HOSTILE = ("../../escape", "/etc/escape", "a/../../escape", "./././x", "a//b")


def test_nothing_is_written_outside(tmp_path: Path) -> None:
    data = tar_of(*(member(name, name.encode()) for name in HOSTILE))
    spool = spooled(tmp_path, data)
    assert sorted(path.name for path in (tmp_path / "spool").iterdir()) == list("12345")
    assert [path.name for path in tmp_path.iterdir()] == ["spool"]
    assert spool.read("x", limit=100) == b"./././x"
    spool.remove()
    assert list(tmp_path.iterdir()) == []


def test_links_are_followed_within_the_archive(tmp_path: Path) -> None:
    link = {"type": b"2", "linkname": "../one/file"}
    data = tar_of(
        member("one/file", b"here"),
        member("two/link", **link),
        member("hard", type=b"1", linkname="two/link"),
        member("out", type=b"2", linkname="/etc/passwd"),
        member("loop", type=b"2", linkname="loop"),
    )
    spool = spooled(tmp_path, data)
    assert spool.read("two/link", limit=10) == b"here"
    assert spool.read("hard", limit=10) == b"here"
    for name in ("out", "loop", "nothing"):
        with pytest.raises(NotFound):
            spool.read(name, limit=10)
    with pytest.raises(Corrupt, match="more than 3"):
        spool.read("one/file", limit=3)


@pytest.mark.parametrize("cut", [1, 511, 512, 1000])
def test_cut_short(tmp_path: Path, cut: int) -> None:
    spool = Spool(tmp_path / "spool")
    spool.feed(tar_of(member("a", b"a" * 2000))[:cut])
    with pytest.raises(Corrupt):
        spool.finish()
    spool.remove()
    assert list(tmp_path.iterdir()) == []
