"""State files: what is written is read again; what is damaged is set aside and stops nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacker.base.errors import Corrupt
from stacker.base.id_range import IdRange
from stacker.drivers.state.files import Records
from stacker.drivers.state.history import History
from stacker.plan.events import Event
from stacker.plan.observed import Exit, Health
from stacker.plan.records import ContainerRecord, StackRecord

RECORD = ContainerRecord(
    id="a" * 64,
    name="shop-web-1",
    stack="shop",
    service="web",
    index=1,
    fingerprint="f",
    image="app:1",
    image_id="sha256:1",
    boot_id="b",
    created_at=1.0,
    layers=("/l/1", "/l/2"),
    joined=frozenset({"x", "y"}),
    selinux_level="s0:c1,c2",
    ids=IdRange(2**31, 65536),
    exit=Exit(code=137, at=2.0, signal=9),
    health=Health.HEALTHY,
)
STACK = StackRecord(
    name="shop", generation=3, files=("/a.yaml",), working_dir="/", stack={"name": "shop"}
)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    records = Records(tmp_path)
    records.prepare()
    return records


def test_round_trip(records: Records) -> None:
    records.save_container(RECORD)
    records.save_stack(STACK)
    assert records.load_containers() == (RECORD,)
    assert records.load_stacks() == (STACK,)
    records.remove_container(RECORD.id)
    records.remove_stack("shop")
    assert records.load_containers() == ()
    assert records.load_stacks() == ()
    assert records.take_warnings() == ()


def test_a_record_from_before_there_were_levels_and_ids_is_read() -> None:
    written = RECORD.to_json()
    del written["selinux_level"], written["ids"]
    assert ContainerRecord.from_json(written) == replace(RECORD, selinux_level=None, ids=None)


def test_a_process_of_an_earlier_boot_is_forgotten_but_not_how_a_one_shot_ended() -> None:
    running = ContainerRecord.from_json({**RECORD.to_json(), "pid": 7, "start_time": 8})
    assert running.after_reboot().pid is None
    assert running.after_reboot().exit is None
    assert RECORD.after_reboot().exit == RECORD.exit


@given(cut=st.integers(min_value=0, max_value=400))
def test_any_truncation_gives_way_to_the_first_record(
    cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    records = Records(tmp_path_factory.mktemp("state"))
    records.prepare()
    records.save_container(RECORD)
    records.save_container(replace(RECORD, restarts=99))
    path = records.container_dir(RECORD.id) / "record.json"
    whole = path.read_bytes()
    path.write_bytes(whole[: min(cut, len(whole) - 1)])
    assert records.load_containers() == (RECORD,)
    assert len(records.take_warnings()) == 1
    assert records.load_containers() == (RECORD,)
    assert records.take_warnings() == ()
    (path.parent / "made.json").write_bytes(b"")
    assert records.load_containers() == ()
    assert len(records.take_warnings()) == 1


@pytest.mark.parametrize("value", [None, [], {}, {"version": 99}, {"version": 1}])
def test_foreign_json_is_corrupt(value: object) -> None:
    with pytest.raises(Corrupt):
        ContainerRecord.from_json(value)
    with pytest.raises(Corrupt):
        StackRecord.from_json(value)


@given(key=st.sampled_from(sorted(RECORD.to_json())))
def test_a_wrong_type_is_corrupt(key: str) -> None:
    with pytest.raises(Corrupt):
        ContainerRecord.from_json({**RECORD.to_json(), key: object()})


def test_history_survives_and_a_damaged_one_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    history = History(path)
    events = [Event(seq=n, time=float(n), kind="warning", message=str(n)) for n in (1, 2, 3)]
    history.add(events)
    history.close()

    history = History(path)
    assert history.last_seq() == 3
    assert history.since(1) == events[1:]
    assert history.warning is None
    history.close()

    path.write_bytes(b"not a database" * 100)
    history = History(path)
    assert history.last_seq() == 0
    assert history.warning
    history.close()


def test_records_are_json_that_a_person_can_read(records: Records) -> None:
    records.save_stack(STACK)
    text = next((records.container_dir("x").parent.parent / "stacks").glob("*.json")).read_text()
    assert json.loads(text)["generation"] == 3
