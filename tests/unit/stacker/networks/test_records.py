from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacker.base.id_range import IdRange
from stacker.drivers.networks import planning, store
from stacker.drivers.networks.dns_names import index
from stacker.drivers.networks.records import Records, from_json, to_json
from stacker.plan.network_specs import PortSpec
from tests.unit.stacker.networks.made import records, sandbox_spec

RECORDS = records(
    sandbox_spec(
        "web", "front", "vault", aliases=("www",), ports=(PortSpec(target=1, published=2),)
    ),
    sandbox_spec("lonely"),
    sandbox_spec("apart", ids=IdRange(2**31, 65536)),
)


def test_json_and_back_is_the_same() -> None:
    assert from_json(to_json(RECORDS)) == RECORDS


def test_a_file_and_back_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "networks.json"
    assert store.load(path) == Records()
    store.save(path, RECORDS)
    assert store.load(path) == RECORDS
    assert path.stat().st_mode & 0o777 == 0o600


@given(st.integers(0, len(to_json(RECORDS)) - 1), st.integers(0, 7))
def test_a_flipped_bit_never_stops_the_start(position: int, bit: int) -> None:
    data = bytearray(to_json(RECORDS))
    data[position] ^= 1 << bit
    with suppress(*store.DAMAGES):
        read = from_json(bytes(data))
        # what is taken can be worked with
        index(read)
        planning.rules("5ac0de", read)
        planning.known_links("5ac0de", read)


def test_what_is_damaged_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "networks.json"
    with caplog.at_level(logging.WARNING):
        for cut in range(len(to_json(RECORDS))):
            path.write_bytes(to_json(RECORDS)[:cut])
            assert store.load(path) == Records()
            assert not path.exists()
    assert "set aside" in caplog.text
