"""Reads the monitor's journal: which process each container had last, and how it ended."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from runtime.wire.messages import Exited

UNKNOWN = -1
_PID_LIMIT = 1 << 22  # proc_sys_kernel(5), pid_max


@dataclass(frozen=True, slots=True, kw_only=True)
class LastProcess:
    pid: int
    start_time: int
    boot_id: str
    exited: Exited | None = None


def read_journal(path: Path) -> dict[str, LastProcess]:
    """Fold the file; lines that are torn or strange are passed over."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return {}
    found: dict[str, LastProcess] = {}
    for line in lines:
        try:
            _fold(found, cast("dict[str, Any]", json.loads(line)))
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            continue
    return found


def _fold(found: dict[str, LastProcess], record: dict[str, Any]) -> None:
    key, pid, start_time = str(record["key"]), int(record["pid"]), int(record["start_time"])
    if not 0 < pid < _PID_LIMIT:
        raise ValueError(f"{pid} is no process")
    exited = None
    if record["is"] == "exited":
        exited = Exited(
            key,
            pid,
            start_time,
            int(record["code"]),
            int(record["signal"]),
            int(record["time_ns"]),
            int(record["seq"]),
        )
    found[key] = LastProcess(
        pid=pid, start_time=start_time, boot_id=str(record["boot_id"]), exited=exited
    )
