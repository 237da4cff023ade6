"""From the first signal handler to the last: serve, tell systemd, reload, end in order.

Ending leaves every container running. What may end it: SIGTERM or SIGINT, and for one that ``up``
started (``--ephemeral``) the end of its last stack.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import anyio

from stacker import __version__
from stacker.base.errors import StackerError
from stacker.daemon.context import Context
from stacker.daemon.sd_notify import LISTEN_FDS_START, Notifier, listening_sockets
from stacker.daemon.server import inherited, listen, serving
from stacker.daemon.settings import Settings
from stacker.engine.engine import Engine

log = logging.getLogger(__name__)

EngineBuilder = Callable[[Settings], AbstractAsyncContextManager[Engine]]

UNUSED_S = 30.0
"""How long an ephemeral supervisor waits for the ``up`` that started it."""
STATUS_EVERY_S = 15.0


async def live(settings: Settings, group_id: int | None, build: EngineBuilder) -> None:
    """Run the engine and the server until something ends them."""
    notifier = Notifier(os.environ)
    end = anyio.Event()
    # before anything is started: a signal that comes early is not lost
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async with build(settings) as engine, anyio.create_task_group() as tasks:
            context = Context(engine=engine, tasks=tasks, settings=settings)
            if listening_sockets(os.environ):
                listener = inherited(LISTEN_FDS_START)
            else:
                listener = listen(settings.socket, group_id=group_id)
            async with serving(context, listener, group_id=group_id):
                log.info("stacker %s listens on %s", __version__, settings.socket)
                notifier.send("READY=1", f"STATUS={await _status(engine)}")
                tasks.start_soon(_obey, signals, engine, notifier, end)
                tasks.start_soon(_report, engine, notifier)
                if settings.ephemeral:
                    tasks.start_soon(_end_when_unused, context, end)
                await end.wait()
                notifier.send("STOPPING=1", "STATUS=ending; containers go on")
            tasks.cancel_scope.cancel()


async def _obey(
    signals: AsyncIterator[signal.Signals], engine: Engine, notifier: Notifier, end: anyio.Event
) -> None:
    async for signum in signals:
        if signum is not signal.SIGHUP:
            end.set()
            return
        # RELOADING=1 goes with the time it began, sd_notify(3)
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        notifier.send("RELOADING=1", f"MONOTONIC_USEC={now_us}")
        try:
            await engine.reload()
        except StackerError as error:
            log.warning("reload: %s", error)
        notifier.send("READY=1")


async def _report(engine: Engine, notifier: Notifier) -> None:
    """Tell systemd how things are; from the event loop, so that silence means it hangs."""
    period = STATUS_EVERY_S if notifier.watchdog_s is None else notifier.watchdog_s / 2
    while notifier.is_heard:
        notifier.send("WATCHDOG=1", f"STATUS={await _status(engine)}")
        await anyio.sleep(period)


async def _status(engine: Engine) -> str:
    try:
        states = await engine.stacks()
    except StackerError as error:
        return str(error)
    if not states:
        return "no stacks"
    in_sync = sum(state.in_sync for state in states)
    running = sum(len(state.containers) for state in states)
    return f"{in_sync} of {len(states)} stacks in sync, {running} containers"


async def _end_when_unused(context: Context, end: anyio.Event) -> None:
    with anyio.move_on_after(UNUSED_S):
        await context.activity.until_used()
    while not (context.engine.is_empty and context.activity.is_idle):
        await context.engine.until_empty()
        await context.activity.until_idle()
    end.set()
