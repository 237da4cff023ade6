"""Marks of what is not safe from a power cut yet, while files become visible and are synced."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from stacker.drivers.images.durability import Unsynced

BOOT = "a-boot"


class Slow(type(Path())):
    """A file that is looked at between its mark and its rename."""

    def rename(self, target: Path) -> Path:  # pyright: ignore[reportIncompatibleMethodOverride]
        settling = threading.Thread(target=_settle, args=(self.parents[1],))
        settling.start()
        settling.join(0.2)
        assert list((self.parents[1] / "marks").iterdir())
        return Path(self).rename(target)


OPENED: dict[Path, Unsynced] = {}


def _settle(root: Path) -> None:
    OPENED[Path(root)].settle(OPENED[Path(root)].pending())


@pytest.fixture
def unsynced(tmp_path: Path) -> Unsynced:
    for name in ("marks", "fresh", "final"):
        (tmp_path / name).mkdir()
    OPENED[tmp_path] = Unsynced(tmp_path / "marks", root=tmp_path, boot_id=BOOT)
    return OPENED[tmp_path]


def test_a_mark_outlives_a_settle_before_its_file_is_there(
    unsynced: Unsynced, tmp_path: Path
) -> None:
    fresh = Slow(tmp_path / "fresh/a")
    fresh.write_bytes(b"content")
    unsynced.publish(fresh, tmp_path / "final/a")


def test_a_file_that_is_published_anew_keeps_its_mark(unsynced: Unsynced, tmp_path: Path) -> None:
    def publish() -> None:
        (tmp_path / "fresh/a").write_bytes(b"content")
        unsynced.publish(tmp_path / "fresh/a", tmp_path / "final/a")

    def marks() -> Iterator[Path]:
        yield from unsynced.pending()
        publish()

    publish()
    unsynced.settle(marks())
    assert len(unsynced.pending()) == 1
    unsynced.settle(unsynced.pending())
    assert unsynced.pending() == []


def test_what_stands_beside_a_file_is_synced_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("marks", "final"):
        (tmp_path / name).mkdir()
    unsynced = Unsynced(tmp_path / "marks", root=tmp_path, boot_id=BOOT, beside=(".json", ".seal"))
    (tmp_path / "final/a.json").write_bytes(b"{}")
    (tmp_path / "fresh").write_bytes(b"content")
    unsynced.publish(tmp_path / "fresh", tmp_path / "final/a.erofs")
    synced: list[str] = []
    fsync = os.fsync

    def noted(fd: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{fd}"))
        assert unsynced.pending()
        fsync(fd)

    monkeypatch.setattr(os, "fsync", noted)
    unsynced.settle(unsynced.pending())
    assert synced == [f"{tmp_path}/final{name}" for name in ("/a.erofs", "/a.json", "")]
    assert unsynced.pending() == []
