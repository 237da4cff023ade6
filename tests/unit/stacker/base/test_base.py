"""Ids, names, canonical JSON, atomic files."""

from __future__ import annotations

import json
import os
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacker.base import canonical_json, clock, ids
from stacker.base.atomic import sweep_unfinished, write_atomic

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(st.dictionaries(st.text(), JSON))
def test_order_of_keys_does_not_matter(value: dict[str, object]) -> None:
    turned = dict(reversed(value.items()))
    assert canonical_json.dumps(value) == canonical_json.dumps(turned)
    assert json.loads(canonical_json.dumps(value)) == value


def test_not_a_number_has_no_spelling() -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json.dumps(float("nan"))


def test_ids() -> None:
    made = {ids.new_id() for _ in range(100)}
    assert len(made) == 100
    assert all(ids.is_id(each) and ids.is_valid(each) for each in made)


@pytest.mark.parametrize("name", ["a", "web-1", "A_b.c", "0", "x" * 128])
def test_names(name: str) -> None:
    assert ids.is_valid(name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "-x", ".x", "a/b", "a\0b", "a\n", "a b", "\xe9", "x" * 129, "%2e", "a:b"],
)
def test_no_names(name: str) -> None:
    """H2: what is no name never becomes a path or an argument."""
    assert not ids.is_valid(name)


@pytest.mark.parametrize("durable", [True, False])
def test_files_are_replaced_whole(tmp_path: Path, durable: bool) -> None:
    file = tmp_path / "file"
    for data in (b"one", b"", b"x" * 100_000):
        write_atomic(file, data, durable=durable)
        assert file.read_bytes() == data
        assert file.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["file"]


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_atomic(folder, b"x")
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "gone" / "file", b"x")
    assert os.listdir(tmp_path) == ["folder"]


def test_clocks() -> None:
    system = clock.SYSTEM
    assert system.monotonic() <= system.monotonic()
    assert system.boottime() >= system.monotonic() - 1
    assert system.now().tzinfo is UTC


def test_only_what_a_killed_writer_left_is_swept(tmp_path: Path) -> None:
    kept = ["file", ".file.new", ".file.0123abcd", "file.0123abcd.new", ".file.0123ABCD.new"]
    for name in (*kept, ".file.0123abcd.new", ".index.json.durable.ffffffff.new"):
        (tmp_path / name).touch()
    sweep_unfinished([tmp_path, tmp_path / "not-there", tmp_path / "file"])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)
