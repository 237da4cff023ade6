"""The codes that ``stacker`` ends with; ``docs/exit-codes.md`` explains them to users."""

from __future__ import annotations


class Exit:
    """An enumeration of plain ints: ``enum`` would cost each command 3 ms."""

    OK = 0
    """What was asked for is done, and true."""
    ERROR = 1
    """It is not; stderr says why."""
    PENDING = 2
    """``plan``, ``outdated``, ``lock --check``: there is something to do."""
    USAGE = 64
    """The command line itself is wrong: sysexits.h's EX_USAGE."""
    INTERRUPTED = 130
    """Ctrl-C: 128 + SIGINT."""
