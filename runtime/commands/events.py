"""events: what a container has used, now and then, and each time its memory ran out.

One JSON object a line, in runc's shapes; ends when the container has.
"""

from __future__ import annotations

import os
import select
import time

from runtime.cgroups.oom import watch_oom
from runtime.cgroups.stats import read_stats
from runtime.commands.arguments import Flag, UsageError, switch
from runtime.commands.context import show_json
from runtime.commands.lookup import find
from runtime.container.identity import open_process
from runtime.container.status import require
from runtime.errors import NotSupported, StateConflict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.oom import OomWatch
    from runtime.commands.arguments import Arguments
    from runtime.commands.context import Context
    from runtime.commands.lookup import Found
    from runtime.spec.model import Json

FLAGS = (
    Flag("interval", "", "how often statistics are printed (5s)", "DURATION"),
    switch("stats", "", "print the statistics once"),
)
_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST_S = 366 * 86_400.0


def run(context: Context, arguments: Arguments) -> int:
    identity = arguments.operand("the container's id")
    interval_s = parse_duration("--interval", arguments.text("interval", "5s"))
    found = find(context, identity)
    require("events", identity, found.status)
    if arguments.on("stats"):
        _show_stats(found)
        return 0
    try:
        pidfd = open_process(found.state.pid, found.state.start_time)
    except StateConflict:
        return 0
    watch: OomWatch | None = None
    try:
        try:
            watch = watch_oom(found.cgroup)
        except NotSupported as error:
            context.report.warn(str(error))
        _follow(found, pidfd, watch, interval_s)
    finally:
        os.close(pidfd)
        if watch is not None:
            watch.close()
    return 0


def parse_duration(what: str, text: str) -> float:
    """Go's form, which runc takes: 300ms, 5s, 1m30s; in seconds, and longer than nothing."""
    total_s, left = 0.0, text
    while left:
        digits = left[: len(left) - len(left.lstrip("0123456789."))]
        left = left[len(digits) :]
        unit = left[: len(left) - len(left.lstrip("nuµmsh"))]
        left = left[len(unit) :]
        whole, _, part = digits.partition(".")
        if unit not in _UNITS_S or not (whole + part).isdecimal():
            raise UsageError(f"{what}: {text!r} is not a duration such as 5s or 300ms")
        total_s += float(digits) * _UNITS_S[unit]
    if not 0 < total_s <= _LONGEST_S:
        raise UsageError(f"{what}: {text!r} is not between 0 and a year")
    return total_s


def _follow(found: Found, pidfd: int, watch: OomWatch | None, interval_s: float) -> None:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    if watch is not None:
        poll.register(watch.fd, select.POLLIN)
    due = time.monotonic() + interval_s
    while True:
        left_s = max(0.0, due - time.monotonic())
        ready = [fd for fd, _ in poll.poll(left_s * 1000)]
        # before its end: what killed it may be what is told
        if watch is not None and not watch.ended:
            for _ in range(watch.take()):
                show_json({"type": "oom", "id": found.state.id}, indent=None)
            if watch.ended:
                poll.unregister(watch.fd)
        if pidfd in ready:
            return
        if time.monotonic() >= due:
            _show_stats(found)
            due += interval_s


def _show_stats(found: Found) -> None:
    data: Json = {**read_stats(found.cgroup), "intel_rdt": {}, "network_interfaces": None}
    show_json({"type": "stats", "id": found.state.id, "data": data}, indent=None)
