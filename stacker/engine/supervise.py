"""What wakes the loops: ends of processes, changes of the network; and what a start begins with.

At the start the order matters: what runs is adopted, then its networks are made known again
where their state file was lost, and only then is swept what nobody needs.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

from anyio import to_thread

from stacker.base.errors import StackerError
from stacker.engine.contents import place_of
from stacker.engine.ports import State
from stacker.engine.prepare import has_sandbox, sandbox_spec
from stacker.engine.tools import Tools
from stacker.plan.desired import Desired
from stacker.plan.fingerprint import network_spec
from stacker.plan.observed import Health

log = logging.getLogger(__name__)


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


async def adopt(tools: Tools, declared: Iterable[Desired]) -> None:
    """Take up what runs: processes that no record names, networks that no state file names."""
    processes = await tools.containers.observe()
    for record in tools.records.all():
        process = processes.get(record.id)
        if process is None or not process.running or record.pid == process.pid:
            continue
        # the supervisor died between the start and the note about it, or the note was lost
        pid, start_time, now = process.pid, process.start_time, tools.now()
        tools.records.update(
            record.id,
            lambda r, pid=pid, start_time=start_time, now=now: replace(
                r,
                pid=pid,
                start_time=start_time,
                started_at=now,
                exit=None,
                health=Health.NONE,
            ),
        )
    known = {sandbox.container_id for sandbox in await tools.networks.sandboxes()}
    for desired in declared:
        await _attach_again(tools, desired, known)


async def _attach_again(tools: Tools, desired: Desired, known: set[str]) -> None:
    stack = desired.stack
    lost = [
        record
        for record in tools.records.of_stack(stack.name)
        if record.pid is not None
        and record.id not in known
        and record.service in stack.services
        and has_sandbox(stack.services[record.service])
    ]
    for key in sorted({key for r in lost for key in stack.services[r.service].networks}):
        spec = network_spec(stack, key)
        await _attempt(f"network {spec.name}", lambda spec=spec: tools.networks.ensure(spec))
    for record in lost:
        spec = sandbox_spec(stack, record)
        await _attempt(f"container {record.name}", lambda spec=spec: tools.networks.attach(spec))


async def sweep(tools: Tools, state: State) -> None:
    """Take away what a supervisor that died half-way has left; what resists waits for the next."""
    kept = frozenset(record.id for record in tools.records.all())
    for container_id in await tools.containers.observe():
        if container_id not in kept:
            await _attempt(
                f"container {container_id}",
                lambda container_id=container_id: tools.containers.delete(container_id),
            )
    await _attempt("networks", lambda: tools.networks.sweep(kept))
    await _attempt("root file systems", lambda: tools.preparer.sweep(kept))
    values = {place_of(record.name) for record in state.load_stacks()}
    await _attempt("contents", lambda: tools.volumes.sweep_contents(kept | values))
    for container_id in state.container_dirs():
        if container_id not in kept:
            await to_thread.run_sync(state.remove_container, container_id)


async def _attempt(what: str, step: Callable[[], Awaitable[object]]) -> None:
    try:
        await step()
    except StackerError as error:
        log.warning("start: %s: %s", what, error)
