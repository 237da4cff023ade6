"""A new volume takes over what the image holds there: all of it, before anybody sees it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stacker.base.id_range import IdRange
from stacker.drivers.volumes import volumes
from stacker.drivers.volumes.volumes import NamedVolumes
from stacker.stack.model.volume import Volume

FILES = 400


@pytest.fixture
def image(tmp_path: Path) -> Path:
    rootfs = tmp_path / "rootfs"
    (rootfs / "data/inner").mkdir(parents=True)
    (rootfs / "data").chmod(0o750)
    for number in range(FILES - 1):
        (rootfs / f"data/inner/{number}").write_text("content")
    (rootfs / "data/first").write_text("content")
    return rootfs


@pytest.fixture
def named(tmp_path: Path) -> NamedVolumes:
    named = NamedVolumes(tmp_path / "root")
    named.prepare()
    named.ensure(Volume(name="v"), stack="s", key="v")
    return named


@pytest.fixture
def data(named: NamedVolumes, tmp_path: Path) -> Iterator[Path]:
    data = tmp_path / "root/volumes/v/_data"
    yield data
    assert sorted(os.listdir(data.parent)) == ["_data", "volume.json"]
    assert _count(data) == FILES
    assert data.stat().st_mode & 0o777 == 0o750


def _count(data: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(data))


def test_replicas_that_begin_together(named: NamedVolumes, image: Path, data: Path) -> None:
    def replica(_: int) -> int:
        named.fill("v", str(image), "/data")
        return _count(data)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(replica, range(4))) == [FILES] * 4


@pytest.mark.parametrize("step", ["_copy", "_move"])
def test_a_copy_that_was_cut_short_is_made_whole(
    named: NamedVolumes, image: Path, data: Path, step: str
) -> None:
    """What a killed supervisor leaves: a part of the copy, or all of it, and some moved."""
    if step == "_copy":
        (data.parent / "filling").mkdir()
        (data.parent / "filling/half").write_text("cont")
    else:
        target = data.parent / "filled"
        target.mkdir()
        source = os.open(image / "data", os.O_RDONLY)
        volumes.copy_tree(source, fd := os.open(target, os.O_RDONLY))
        os.close(source)
        os.close(fd)
        (target / "first").rename(data / "first")
    named.fill("v", str(image), "/data")


def test_data_is_never_touched(named: NamedVolumes, image: Path, tmp_path: Path) -> None:
    own = tmp_path / "root/volumes/v/_data/own"
    own.write_text("mine")
    named.fill("v", str(image), "/data")
    assert os.listdir(own.parent) == ["own"]


@pytest.mark.root
def test_what_a_user_namespace_owns_is_its_own_in_the_volume(
    named: NamedVolumes, image: Path, data: Path
) -> None:
    """The root file system shows the owners that they are outside; on the disk it is the inside."""
    ids = IdRange(3_000_000_000, 65536)
    for place, directories, files in os.walk(image / "data"):
        for name in (".", *directories, *files):
            os.chown(os.path.join(place, name), ids.first + 5, ids.first + 65535)
    (image / "data/first").chmod(0o6755)
    named.fill("v", str(image), "/data", ids=ids)
    found = [os.lstat(path) for path in (data, *data.rglob("*"))]
    assert {(each.st_uid, each.st_gid) for each in found} == {(5, 65535)}
    assert (data / "first").stat().st_mode & 0o7777 == 0o6755
