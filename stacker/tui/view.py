"""Containers and samples → what the table says about each container.

Pure: no Textual, no clock. ``arrange.py`` puts the rows in order and fits them to a width.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stacker.base.text import clean, size
from stacker.tui.rates import Rates
from stacker.wire.replies import ContainerRow, StatsRow

SYMBOLS = {
    "healthy": ("✓", "good"),
    "starting": ("◌", "warn"),
    "unhealthy": ("✗", "bad"),
    "running": ("●", "good"),
    "paused": ("‖", "warn"),
    "created": ("○", "calm"),
    "completed": ("■", "calm"),
    "failed": ("■", "bad"),
    "stopped": ("□", "faint"),
}
"""State → (symbol, tone): no state is told by its colour alone."""

UP = ("running", "healthy", "starting", "unhealthy")
HEALTHS = ("healthy", "starting", "unhealthy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a line of the table stands for, and what a key acts on.

    The names are as the supervisor knows them. Without a service it is the whole stack.
    """

    stack: str
    service: str = ""
    index: int = 0
    name: str = ""

    @property
    def services(self) -> tuple[str, ...]:
        """As requests want them: none are all."""
        return (self.service,) if self.service else ()

    def __str__(self) -> str:
        return clean(f"{self.stack}/{self.service}" if self.service else self.stack)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One container. All text is harmless."""

    target: Target
    label: str
    """What tells it from the others of its stack: its service, numbered where there are several."""
    name: str
    state: str
    status: str
    restarts: int
    rate: Rates
    memory_bytes: int | None
    memory_limit_bytes: int | None
    ports: str
    image: str
    faulty: bool

    @property
    def is_up(self) -> bool:
        return self.state in UP


def rows(
    containers: Iterable[ContainerRow],
    samples: Mapping[str, StatsRow],
    rates_by_id: Mapping[str, Rates],
    *,
    now: float,
) -> tuple[Row, ...]:
    """Say what there is about every container, by stack, service and number."""
    ordered = sorted(containers, key=lambda c: (c.stack, c.service, c.index, c.created_at))
    replicas = Counter((c.stack, c.service) for c in ordered)
    return tuple(
        _row(
            container,
            samples.get(container.id),
            rates_by_id.get(container.id, Rates()),
            alone=replicas[container.stack, container.service] == 1,
            now=now,
        )
        for container in ordered
    )


def matches(row: Row, text: str) -> bool:
    """Say whether a row holds every word of the filter, in whatever column."""
    words = text.lower().split()
    whole = " ".join((str(row.target), row.name, row.state, row.status, row.ports, row.image))
    return all(word in whole.lower() for word in words)


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
    up = sum(state in UP for state in states)
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


def ports(container: ContainerRow) -> str:
    """``8080→80 127.0.0.1:53→53/udp``"""
    texts = (
        f"{'' if port.host_ip == '0.0.0.0' else port.host_ip + ':'}{port.published}→{port.target}"
        + ("" if port.protocol == "tcp" else f"/{port.protocol}")
        for port in container.ports
    )
    return clean(" ".join(texts))


def status(container: ContainerRow, *, now: float) -> str:
    """Say since when it is as it is, and what is wrong with that."""
    if container.status == "running":
        text = f"up {duration(now - (container.started_at or now))}"
    elif container.status == "exited":
        code = "?" if container.exit_code is None else container.exit_code
        text = "out of memory" if container.oom else f"exited {code}"
        text += f" {duration(now - (container.exited_at or now))} ago"
    else:
        text = container.status
    extra = container.problem or ("" if container.stopped_by_user else container.note)
    if container.next_at is not None:
        extra = f"restarts in {max(0.0, container.next_at - now):.0f} s"
    return clean(f"{text}; {extra}" if extra else text)


def percent(used: int, limit: int) -> float:
    return used / limit * 100 if limit else 0.0


def net(rate: Rates) -> str:
    if rate.received_per_s is None or rate.sent_per_s is None:
        return "-"
    return f"↓{size(rate.received_per_s)} ↑{size(rate.sent_per_s)}"


def _row(
    container: ContainerRow, sample: StatsRow | None, rate: Rates, *, alone: bool, now: float
) -> Row:
    state = state_of(container)
    runs = container.status == "running" and sample is not None
    return Row(
        target=Target(
            stack=container.stack,
            service=container.service,
            index=container.index,
            name=container.name,
        ),
        label=clean(container.service if alone else f"{container.service}-{container.index}"),
        name=clean(container.name),
        state=state,
        status=status(container, now=now),
        restarts=container.restarts,
        rate=rate if runs else Rates(),
        memory_bytes=sample.memory_bytes if runs and sample else None,
        memory_limit_bytes=sample.memory_limit_bytes if runs and sample else None,
        ports=ports(container),
        image=clean(container.image.removeprefix("docker.io/library/").removeprefix("docker.io/")),
        faulty=state in ("failed", "unhealthy") or bool(container.problem),
    )
