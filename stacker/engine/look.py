"""Looking at containers: their logs, what they use, and all that is known about one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, replace

import anyio
from anyio.streams.memory import MemoryObjectSendStream

from stacker.base.errors import StackerError
from stacker.engine.tools import Tools
from stacker.engine.views import LogChunk
from stacker.plan.container_specs import StatsSample
from stacker.plan.observed import ObservedContainer
from stacker.plan.records import ContainerRecord
from stacker.stack.model.service import Service

NEW_CONTAINERS = ("container.start",)


async def logs(
    tools: Tools,
    stack: str,
    services: frozenset[str],
    *,
    tail: int | None,
    since: float | None,
    follow: bool,
) -> AsyncIterator[LogChunk]:
    """Yield the frames of all containers of the services as they come; with ``follow`` for ever.

    A container that is made while the logs are followed is followed too.
    """
    send, receive = anyio.create_memory_object_stream[LogChunk](16)
    seq = tools.bus.seq
    async with anyio.create_task_group() as tasks, receive:
        async with send:
            known: set[str] = set()

            def add(record: ContainerRecord, lines: int | None) -> None:
                known.add(record.id)
                tasks.start_soon(_read, tools, record, send.clone(), lines, since, follow)

            for record in sorted(tools.records.of_stack(stack), key=lambda r: r.name):
                if record.service in services:
                    add(record, tail)
            if follow:
                tasks.start_soon(_watch_for_new, tools, stack, services, known, add, seq)

        async for chunk in receive:
            yield chunk
        tasks.cancel_scope.cancel()


async def _read(
    tools: Tools,
    record: ContainerRecord,
    send: MemoryObjectSendStream[LogChunk],
    tail: int | None,
    since: float | None,
    follow: bool,
) -> None:
    async with send:
        async for frames in tools.containers.logs(record.id, tail=tail, since=since, follow=follow):
            await send.send(LogChunk(container=record.name, service=record.service, frames=frames))


async def _watch_for_new(
    tools: Tools,
    stack: str,
    services: frozenset[str],
    known: set[str],
    add: Callable[[ContainerRecord, int | None], None],
    seq: int,
) -> None:
    async for event in tools.bus.follow(since=seq, forever=True):
        if event.kind in NEW_CONTAINERS and event.stack == stack:
            for record in tools.records.of_stack(stack):
                if record.id not in known and record.service in services:
                    add(record, None)


async def sample(tools: Tools, container: ObservedContainer) -> StatsSample | None:
    """Measure one container; None when it has ended meanwhile."""
    try:
        stats = await tools.containers.stats(container.id)
        received, sent = await tools.networks.counters(container.id)
    except StackerError:
        return None
    return replace(stats, received_bytes=received, sent_bytes=sent)


async def inspect(
    tools: Tools, record: ContainerRecord, declared: Service | None = None
) -> dict[str, object]:
    """Return the record, what is declared, what the kernel says, and the network.

    No content of any secret, and no environment, which is where people keep them too.
    """
    processes = await tools.containers.observe()
    process = processes.get(record.id)
    sandbox = next(
        (s for s in await tools.networks.sandboxes() if s.container_id == record.id), None
    )
    return {
        **record.to_json(),
        "ids": asdict(record.ids) if record.ids is not None else None,
        "process": asdict(process) if process is not None else None,
        "network": asdict(sandbox) if sandbox is not None else None,
        "declared": declared.model_dump(mode="json", exclude={"environment"}, exclude_defaults=True)
        if declared is not None
        else None,
        "rootfs": str(tools.preparer.rootfs(record.id)),
    }
