"""Which names are whiteouts, and which are refused (image-spec layer.md)."""

from __future__ import annotations

import pytest

from stacker.base.errors import Corrupt
from stacker.oci import whiteout


def test_a_whiteout_names_what_it_hides() -> None:
    assert whiteout.hidden_name(b".wh.file") == b"file"
    assert whiteout.hidden_name(b".wh..hidden") == b".hidden"
    assert whiteout.hidden_name(b".wh....") == b"..."
    assert not whiteout.is_reserved(b".whatever")


@pytest.mark.parametrize(
    "name", [b".wh.", b".wh..", b".wh...", b".wh..wh.", b".wh..wh.plnk", b".wh..wh.aufs", b"x"]
)
def test_others_are_refused(name: bytes) -> None:
    with pytest.raises(Corrupt):
        whiteout.hidden_name(name)
