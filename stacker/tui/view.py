"""Containers and samples → the rows of the table. Pure: no Textual, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stacker.base.text import clean, size
from stacker.wire.replies import ContainerRow, StatsRow

SMOOTHING = 0.5
"""Weight of the newest sample in a rate: a sort by processor time does not flicker."""

SYMBOLS = {
    "healthy": ("✓", "green"),
    "starting": ("◌", "yellow"),
    "unhealthy": ("✗", "red"),
    "running": ("●", "green"),
    "paused": ("‖", "yellow"),
    "created": ("○", "cyan"),
    "completed": ("■", "blue"),
    "failed": ("■", "red"),
    "stopped": ("□", "white"),
}
"""State → (symbol, colour): no state is told by its colour alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What is computed from two samples; None until there are two."""

    cpu_percent: float | None = None
    """Of one processor."""
    received_per_s: float | None = None
    sent_per_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table. All text is harmless."""

    id: str
    stack: str
    service: str
    name: str
    state: str
    symbol: str
    colour: str
    status: str
    restarts: int
    cpu: str
    memory: str
    net: str
    ports: str
    image: str
    faulty: bool
    cpu_percent: float
    memory_bytes: int


def rates(before: StatsRow | None, now: StatsRow, smooth: Rates | None) -> Rates:
    """Fold one more sample into the rates."""
    if before is None or now.at <= before.at:
        return smooth or Rates()
    seconds = now.at - before.at
    old = smooth or Rates()
    return Rates(
        cpu_percent=_blend(
            old.cpu_percent, _per_s(before.cpu_ns, now.cpu_ns, seconds), scale=100 / 1e9
        ),
        received_per_s=_blend(
            old.received_per_s, _per_s(before.received_bytes, now.received_bytes, seconds)
        ),
        sent_per_s=_blend(old.sent_per_s, _per_s(before.sent_bytes, now.sent_bytes, seconds)),
    )


def rows(
    containers: Iterable[ContainerRow],
    samples: Mapping[str, StatsRow],
    rates_by_id: Mapping[str, Rates],
    *,
    now: float,
) -> tuple[Row, ...]:
    """Lay out every container, grouped by stack and service."""
    ordered = sorted(containers, key=lambda c: (c.stack, c.service, c.index))
    return tuple(
        _row(c, samples.get(c.id), rates_by_id.get(c.id, Rates()), now=now) for c in ordered
    )


def matches(row: Row, text: str) -> bool:
    """Say whether a row holds every word of the filter, in whatever column."""
    whole = f"{row.stack} {row.service} {row.name} {row.state} {row.status} {row.image}".lower()
    return all(word in whole for word in text.lower().split())


def state_of(container: ContainerRow) -> str:
    """One word for what matters most about a container."""
    if container.status == "running":
        return container.health if container.health != "none" else "running"
    if container.status != "exited":
        return container.status
    if container.stopped_by_user:
        return "stopped"
    return "completed" if container.exit_code == 0 else "failed"


def summary(all_rows: Iterable[Row]) -> str:
    """``12 containers, 11 up, 1 failed``"""
    states = [row.state for row in all_rows]
    up = sum(state in ("running", "healthy", "starting", "unhealthy") for state in states)
    parts = [f"{len(states)} container{'s' if len(states) != 1 else ''}", f"{up} up"]
    wrong = [state for state in ("unhealthy", "failed") if state in states]
    parts += [f"{states.count(state)} {state}" for state in wrong]
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """``3d4h``, ``4h12m``, ``12m3s``, ``3s``"""
    whole = max(0, int(seconds))
    for (large, length), (small, step) in (
        (("d", 86400), ("h", 3600)),
        (("h", 3600), ("m", 60)),
        (("m", 60), ("s", 1)),
    ):
        if whole >= length:
            return f"{whole // length}{large}{whole % length // step}{small}"
    return f"{whole}s"


def _row(container: ContainerRow, sample: StatsRow | None, rate: Rates, *, now: float) -> Row:
    state = state_of(container)
    symbol, colour = SYMBOLS.get(state, ("?", "white"))
    running = container.status == "running"
    return Row(
        id=container.id,
        stack=clean(container.stack),
        service=clean(container.service),
        name=clean(container.name),
        state=state,
        symbol=symbol,
        colour=colour,
        status=_status(container, now=now),
        restarts=container.restarts,
        cpu=f"{rate.cpu_percent:.1f}%" if running and rate.cpu_percent is not None else "-",
        memory=_memory(sample) if running else "-",
        net=_net(rate) if running else "-",
        ports=clean(
            " ".join(
                f"{'' if p.host_ip == '0.0.0.0' else p.host_ip + ':'}{p.published}→{p.target}"
                + ("" if p.protocol == "tcp" else f"/{p.protocol}")
                for p in container.ports
            )
        ),
        image=clean(container.image.removeprefix("docker.io/library/").removeprefix("docker.io/")),
        faulty=state in ("failed", "unhealthy") or bool(container.problem),
        cpu_percent=rate.cpu_percent or 0.0,
        memory_bytes=(sample.memory_bytes or 0) if sample else 0,
    )


def _status(container: ContainerRow, *, now: float) -> str:
    if container.status == "running":
        text = f"up {duration(now - (container.started_at or now))}"
    elif container.status == "exited":
        code = "?" if container.exit_code is None else container.exit_code
        text = "out of memory" if container.oom else f"exited {code}"
        text += f" {duration(now - (container.exited_at or now))} ago"
    else:
        text = container.status
    extra = container.problem or container.note or ""
    return clean(f"{text}; {extra}" if extra else text)


def _memory(sample: StatsRow | None) -> str:
    if sample is None or sample.memory_bytes is None:
        return "-"
    if sample.memory_limit_bytes is None:
        return size(sample.memory_bytes)
    share = sample.memory_bytes / sample.memory_limit_bytes * 100
    return f"{size(sample.memory_bytes)} / {size(sample.memory_limit_bytes)} {share:.0f}%"


def _net(rate: Rates) -> str:
    if rate.received_per_s is None or rate.sent_per_s is None:
        return "-"
    return f"↓{size(rate.received_per_s)} ↑{size(rate.sent_per_s)}"


def _per_s(before: int | None, now: int | None, seconds: float) -> float | None:
    if before is None or now is None:
        return None
    return max(0, now - before) / seconds


def _blend(old: float | None, new: float | None, *, scale: float = 1.0) -> float | None:
    if new is None:
        return old
    value = new * scale
    return value if old is None else old + (value - old) * SMOOTHING
