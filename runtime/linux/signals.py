"""The module `signal`, without the enums that it makes of every number when it is imported.

`enum` and what it needs cost the command line 3 ms at each start. What the kernel is asked is in
the C module below it, under the same names; its constants are plain numbers.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal

__all__ = ["number_of", "signal"]


def number_of(name: str) -> int | None:
    """Of a name without its SIG; SIG_DFL and the like are no signals."""
    found: object = None if name.startswith("_") else getattr(signal, f"SIG{name}", None)
    return int(found) if isinstance(found, int) else None
