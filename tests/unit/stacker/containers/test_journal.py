"""The journal as the supervisor reads it: the last process of each key, torn lines or not."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.monitor.journal import Journal
from stacker.drivers.containers.journal import read_journal


def record(what: str, key: str, pid: int, **more: object) -> dict[str, object]:
    return {"is": what, "key": key, "pid": pid, "start_time": pid * 10, "boot_id": "b", **more}


END = {"code": 3, "signal": 0, "time_ns": 5}


def test_last_process_wins(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "exits"))
    journal.add(record("started", "a", 1))
    journal.add(record("exited", "a", 1, seq=1, **END))
    journal.add(record("started", "b", 2))
    journal.add(record("started", "a", 3))
    found = read_journal(tmp_path / "exits")
    assert (found["a"].pid, found["a"].exited) == (3, None)
    assert found["b"].pid == 2


def test_a_torn_tail_costs_nothing_but_itself(tmp_path: Path) -> None:
    path = tmp_path / "exits"
    journal = Journal(str(path))
    journal.add(record("started", "a", 1))
    journal.add(record("exited", "a", 1, seq=7, **END))
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"is": "started", "key": "a", "pi')

    again = Journal(str(path))
    assert again.seq == 7
    again.add(record("started", "b", 2))
    found = read_journal(path)
    assert found["a"].exited is not None
    assert found["a"].exited.code == 3
    assert found["b"].pid == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_any_bytes_are_survived(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "exits"
    path.write_bytes(content)
    read_journal(path)
    Journal(str(path)).add(record("started", "a", 1))
    assert read_journal(path)["a"].pid == 1


def test_compaction_keeps_what_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "exits"
    journal = Journal(str(path))
    padding = "x" * 1000
    for number in range(1200):
        journal.add(record("started", f"key{number}", number, padding=padding))
    journal.compact({"key7"})
    assert list(read_journal(path)) == ["key7"]
    journal.add(record("started", "new", 1))
    assert list(read_journal(path)) == ["key7", "new"]


def test_a_full_disk_loses_no_record(tmp_path: Path) -> None:
    """A limit of the file's size does what a full disk does: a part of the line is written."""
    path = tmp_path / "exits"
    journal = Journal(str(path))
    journal.add(record("started", "a", 1))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, before[1]))
        journal.add(record("exited", "a", 1, seq=1, **END))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert read_journal(path)["a"].exited is None

    journal.add(record("started", "b", 2))
    found = read_journal(path)
    assert found["b"].pid == 2
    ended = found["a"].exited
    assert ended is not None
    assert ended.code == 3
