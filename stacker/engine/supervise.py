"""What wakes the loops: ends of processes, changes of the network; and the sweep at the start."""

from __future__ import annotations

from collections.abc import Callable

from stacker.engine.perform import Tools
from stacker.engine.ports import State


async def follow_exits(tools: Tools, wake: Callable[[str], None]) -> None:
    """Note the end of each container's process, and wake its stack; until cancelled."""
    async for ended in tools.containers.exits():
        tools.ended(ended.container_id, ended.process)
        record = tools.records.get(ended.container_id)
        if record is not None:
            wake(record.stack)


async def follow_networks(tools: Tools, wake: Callable[[], None]) -> None:
    """Wake every stack when links, addresses, routes or rules have changed; until cancelled."""
    async for _ in tools.networks.watch():
        wake()


async def sweep(tools: Tools, state: State) -> None:
    """Take away what a supervisor that died half-way has left."""
    kept = frozenset(record.id for record in tools.records.all())
    for container_id in await tools.containers.observe():
        if container_id not in kept:
            await tools.containers.delete(container_id)
    await tools.networks.sweep(kept)
    await tools.preparer.sweep(kept)
    for container_id in state.container_dirs():
        if container_id not in kept:
            state.remove_container(container_id)
