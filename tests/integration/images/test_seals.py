"""Whether layers can be sealed is asked of the kernel; where they can: `test_verity.py`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runtime.linux import mount
from stacker.drivers.images import seals
from tests.registries.debian import run
from tests.support.loop_disk import mounted_disk

pytestmark = pytest.mark.root


def test_a_kind_of_file_system_without_seals(tmp_path: Path) -> None:
    mount.mount("tmpfs", str(tmp_path), "tmpfs", 0, "")
    try:
        assert seals.why_not(tmp_path) == "this kind of file system has no fs-verity"
        assert not list(tmp_path.iterdir())
    finally:
        mount.umount2(str(tmp_path))


def test_a_file_system_made_without_them(tmp_path: Path) -> None:
    file, place = tmp_path / "disk", tmp_path / "place"
    place.mkdir()
    file.touch()
    os.truncate(file, 16 << 20)
    run("mkfs.ext4", "-q", "-b", "4096", "-O", "^verity", str(file))
    with mounted_disk(file, place):
        (place / ".probe-seal").touch()  # of a supervisor that was killed
        assert seals.why_not(place) == "fs-verity is off in the kernel, or on this file system"
        assert [each.name for each in place.iterdir()] == ["lost+found"]


def test_no_place_to_try(tmp_path: Path) -> None:
    assert seals.why_not(tmp_path / "missing") == "No such file or directory"
