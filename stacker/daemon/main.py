"""The supervisor's process life: claim the directories, serve, tell systemd, end in order.

Ending leaves every container running. What may end it: SIGTERM or SIGINT, and for one that ``up``
started (``--ephemeral``) the end of its last stack.
"""

from __future__ import annotations

import grp
import logging
import os
import resource
import sys
from collections.abc import Iterator, Sequence
from typing import cast

import anyio

from stacker.base.errors import Invalid, StackerError
from stacker.daemon.claim import LockHeld, claim
from stacker.daemon.life import EngineBuilder, live
from stacker.daemon.settings import parse_settings

LOCK_HELD = 75
"""sysexits.h's EX_TEMPFAIL; ``client.session`` then waits for the one that holds the lock."""


def main(arguments: Sequence[str], *, build: EngineBuilder) -> int:
    """Run until told to end; return the exit code. ``build`` is ``wiring.running_engine``."""
    settings = parse_settings(arguments)
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if settings.verbose else logging.INFO,
        format="%(levelname)s: %(message)s",
    )
    for noisy in ("asyncio", "aiohttp", "pyroute2", "watchfiles"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # it would tell every broken request with a traceback; our own errors `server` logs itself
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    os.umask(0o077)
    os.chdir("/")
    _raise_limits()
    try:
        group_id = _group_id(settings.group)
        locks = claim(settings, group_id=group_id)
        anyio.run(live, settings, group_id, build)
    except (StackerError, BaseExceptionGroup) as error:
        return _give_up(error)
    del locks  # held until here, and then by the process until it ends
    return 0


def _give_up(error: BaseException) -> int:
    """Say why in one line each, for the ``up`` that waits for us; a bug keeps its traceback."""
    reasons = list(_leaves(error))
    if not all(isinstance(reason, StackerError) for reason in reasons):
        raise error
    for reason in reasons:
        print(f"stacker: {reason}", file=sys.stderr)  # noqa: T201
    return LOCK_HELD if isinstance(reasons[0], LockHeld) else 1


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """Take apart what task groups wrap around the errors of their tasks."""
    if isinstance(error, BaseExceptionGroup):
        for inner in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _group_id(name: str | None) -> int | None:
    if name is None:
        return None
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise Invalid(f"--group: there is no group {name}") from error


def _raise_limits() -> None:
    """Open files: each container takes a few; systemd's soft limit is 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
