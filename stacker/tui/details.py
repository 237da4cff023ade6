"""All that is known about a container or a stack → lines to read. Pure.

The answer of ``inspect`` is an object without a schema: it is read leniently, what it does not say
is left away, and the whole of it stands below as JSON.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from stacker.base.text import clean, size
from stacker.tui import view
from stacker.wire.replies import ContainerRow, StackRow, StatsRow

Json = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """``label: value``; one without a label belongs to the one before."""

    label: str
    value: str
    tone: str = ""


def of_container(
    container: ContainerRow, sample: StatsRow | None, inspected: Json, *, now: float
) -> list[Fact]:
    """Say what a person asks first about a container, then everything."""
    declared = _object(inspected, "declared")
    state = view.state_of(container)
    tone = view.SYMBOLS.get(state, ("", ""))[1]
    facts = [
        Fact(label="container", value=f"{container.name}   id {container.id[:12]}"),
        Fact(label="image", value=f"{container.image}   {_text(inspected, 'image_id')[:19]}"),
        *_fact("entrypoint", shlex.join(_texts(declared, "entrypoint"))),
        *_fact("command", shlex.join(_texts(declared, "command"))),
        *_fact("user", _text(declared, "user")),
        *_ids(_object(inspected, "ids")),
        Fact(label="state", value=f"{state}, {view.status(container, now=now)}", tone=tone),
        *_health(container, _object(declared, "healthcheck"), tone),
        *_life(container),
        *_fact("network", _text(declared, "network_mode")),
        *_listed("network", (f"{a.network:<24} {a.ipv4_address}" for a in container.addresses)),
        *_listed("ports", view.ports(container).split()),
        *_listed("mounts", _mounts(declared)),
        *_limits(declared, sample),
        *(_usage(sample) if sample is not None and container.status == "running" else ()),
    ]
    return [*_harmless(facts), *_raw(inspected)]


def of_stack(stack: StackRow) -> list[Fact]:
    """Say what is declared and how much of it is there."""
    state = "as declared" if stack.in_sync else "not as declared yet"
    services = (
        f"{s.name:<20} {s.running} of {s.replicas} running, {s.healthy} healthy   {s.image}"
        for s in stack.services
    )
    facts = [
        Fact(label="stack", value=f"{stack.name}   generation {stack.generation}"),
        Fact(
            label="state",
            value=f"{stack.desired}, {state}",
            tone="good" if stack.in_sync else "warn",
        ),
        *_listed("problems", stack.problems, tone="bad"),
        *_listed("files", stack.files),
        Fact(label="directory", value=stack.working_dir),
        *_listed("services", services),
    ]
    return list(_harmless(facts))


def of_error(text: str) -> list[Fact]:
    return [Fact(label="", value=clean(text), tone="bad")]


def _ids(ids: Json) -> Iterator[Fact]:
    first, count = ids.get("first"), ids.get("size")
    if isinstance(first, int) and isinstance(count, int):
        value = f"{count} of its own, on the host {first} to {first + count - 1}"
        yield Fact(label="ids", value=value)


def _health(container: ContainerRow, check: Json, tone: str) -> Iterator[Fact]:
    if container.health == "none":
        return
    yield Fact(label="health", value=container.health, tone=tone)
    yield from _fact("check", shlex.join(_texts(check, "test")))
    yield from _listed("last output", container.health_detail.splitlines())


def _life(container: ContainerRow) -> Iterator[Fact]:
    yield from _fact("process", f"{container.pid}" if container.pid else "")
    yield from _fact("created", _moment(container.created_at))
    yield from _fact("started", _moment(container.started_at))
    if container.status == "exited":
        code = "unknown" if container.exit_code is None else str(container.exit_code)
        why = ", out of memory" if container.oom else ""
        yield from _fact("exited", f"{_moment(container.exited_at)}, code {code}{why}")
    yield Fact(label="restarts", value=str(container.restarts))


def _mounts(declared: Json) -> Iterator[str]:
    for key, default in (("volumes", "volume"), ("configs", "config"), ("secrets", "secret")):
        for mount in _objects(declared, key):
            kind = _text(mount, "type") or default
            flag = "  read-only" if mount.get("read_only") is True else ""
            source = _text(mount, "source")
            yield f"{_text(mount, 'target'):<24} {kind} {source}{flag}"
    if declared.get("read_only") is True:
        yield f"{'/':<24} read-only"


def _limits(declared: Json, sample: StatsRow | None) -> Iterator[Fact]:
    memory, cpus = declared.get("mem_limit"), declared.get("cpus")
    pids = sample.pids_limit if sample is not None else declared.get("pids_limit")
    parts = [f"{cpus:g} cpus"] if isinstance(cpus, int | float) else []
    parts += [f"{size(memory)} of memory"] if isinstance(memory, int) else []
    parts += [f"{pids} processes"] if isinstance(pids, int) else []
    yield from _fact("limits", ", ".join(parts))


def _usage(sample: StatsRow) -> Iterator[Fact]:
    share = ""
    if sample.memory_bytes is not None and sample.memory_limit_bytes:
        share = (
            f", {view.percent(sample.memory_bytes, sample.memory_limit_bytes):.0f}% of its limit"
        )
    killed = f", {sample.oom_kills} killed for it" if sample.oom_kills else ""
    peak = f", at most {size(sample.memory_peak_bytes)}" if sample.memory_peak_bytes else ""
    yield Fact(label="memory", value=f"{size(sample.memory_bytes)}{share}{peak}{killed}")
    cpu, held = (value and value / 1e9 for value in (sample.cpu_ns, sample.throttled_ns))
    yield Fact(
        label="cpu", value=f"{cpu or 0:.1f} s" + (f", held back {held:.1f} s" if held else "")
    )
    yield from _fact("processes", "" if sample.pids is None else str(sample.pids))
    yield Fact(label="net", value=f"↓{size(sample.received_bytes)} ↑{size(sample.sent_bytes)}")
    yield Fact(
        label="disk", value=f"read {size(sample.read_bytes)}, written {size(sample.write_bytes)}"
    )


def _raw(inspected: Json) -> Iterator[Fact]:
    if not inspected:
        return
    yield Fact(label="", value="")
    for line in json.dumps(inspected, indent=2, sort_keys=True).splitlines():
        yield Fact(label="", value=line, tone="faint")


def _fact(label: str, value: str) -> Iterator[Fact]:
    if value:
        yield Fact(label=label, value=value)


def _listed(label: str, values: Iterable[str], *, tone: str = "") -> Iterator[Fact]:
    for number, value in enumerate(values):
        yield Fact(label="" if number else label, value=value, tone=tone)


def _harmless(facts: Iterable[Fact]) -> Iterator[Fact]:
    for fact in facts:
        yield Fact(label=fact.label, value=clean(fact.value), tone=fact.tone)


def _moment(seconds: float | None) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S") if seconds else ""


def _text(owner: Json, key: str) -> str:
    value = owner.get(key)
    return value if isinstance(value, str) else ""


def _texts(owner: Json, key: str) -> list[str]:
    value = owner.get(key)
    return [str(item) for item in cast("list[object]", value)] if isinstance(value, list) else []


def _object(owner: Json, key: str) -> Json:
    value = owner.get(key)
    return cast("Json", value) if isinstance(value, dict) else {}


def _objects(owner: Json, key: str) -> list[Json]:
    value = owner.get(key)
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("Json", item) for item in items if isinstance(item, dict)]
