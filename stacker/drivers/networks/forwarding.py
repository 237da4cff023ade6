"""``ip_forward``: on while there is a network that leads out, then as it was before.

Several supervisors share the one switch of a host. What it was before the first of them is
written on every bridge (its alias, visible with ``ip link``), so whoever comes later reads it
there instead of taking the first one's doing for the host's wish; and only the last one puts it
back. Between the look at the bridges and the deed that follows from it, nobody else may come or
go: ``alone`` sees to that, over all state roots. Blocking.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from stacker.drivers.networks import marks, sysctls
from stacker.drivers.networks.observing import Kernel

LOCK = Path("/run/stacker-forwarding.lock")


@contextmanager
def alone() -> Generator[None]:
    """Be the only supervisor of the host that makes or removes bridges."""
    fd = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def before(kernel: Kernel, *, noted: bool | None) -> bool:
    """What the switch was before any supervisor touched it, this one included.

    ``noted``: what this one noted in its state root, for when no bridge is left to tell. Of
    bridges that disagree one was laid when it was on already: the one that says off is right.
    """
    told = [
        was
        for link in kernel.links.values()
        if marks.is_of_somebody(link) and (was := marks.forwarding_before(link.alias)) is not None
    ]
    if told:
        return all(told)
    return kernel.forwarding if noted is None else noted


def put_back(tag: str, kernel: Kernel, *, before: bool) -> None:
    """Restore it, unless another supervisor still needs it."""
    others = any(marks.is_of_another(tag, link) for link in kernel.links.values())
    if not before and kernel.forwarding and not others:
        sysctls.set_forwarding(False)
