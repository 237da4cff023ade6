"""Configs and secrets on their tmpfs: replaced as a whole, and swept when nobody has them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from stacker.drivers.volumes.contents import ContentFile, ContentFiles

pytestmark = pytest.mark.root


@pytest.fixture
def contents(tmp_path: Path) -> Iterator[ContentFiles]:
    files = ContentFiles(tmp_path)
    files.prepare()
    try:
        yield files
    finally:
        files.release()


def test_what_is_there_stays_when_there_is_no_room_for_the_new(
    contents: ContentFiles, tmp_path: Path
) -> None:
    paths = contents.write("values-shop", (ContentFile(target="a", content=b"old"),))
    with (tmp_path / "contents/filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, (64 << 20) - (1 << 20))
    many = tuple(ContentFile(target=str(n), content=bytes(1 << 20)) for n in range(2))
    with pytest.raises(OSError, match="space"):
        contents.write("values-shop", many)
    assert Path(paths["a"]).read_bytes() == b"old"
    assert {path.name for path in (tmp_path / "contents").iterdir()} == {"filler", "values-shop"}


def test_the_new_takes_the_place_of_the_old(contents: ContentFiles, tmp_path: Path) -> None:
    contents.write("c", (ContentFile(target="a", content=b"1"),))
    paths = contents.write("c", (ContentFile(target="b", content=b"2"),))
    assert [path.name for path in (tmp_path / "contents").iterdir()] == ["c"]
    assert [path.read_bytes() for path in (tmp_path / "contents/c").iterdir()] == [b"2"]
    assert Path(paths["b"]).read_bytes() == b"2"


def test_what_nobody_has_is_swept(contents: ContentFiles, tmp_path: Path) -> None:
    for name in ("kept", "lost", ".kept.new"):
        contents.write(name, (ContentFile(target="a", content=b"1"),))
    contents.sweep({"kept"})
    assert [path.name for path in (tmp_path / "contents").iterdir()] == ["kept"]
