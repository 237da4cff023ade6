"""Signals by the words that people use for them."""

from __future__ import annotations

import signal

from stacker.base.errors import Invalid


def signal_number(text: str) -> int:
    """Read a signal as ``docker kill`` does; Invalid for one that does not exist."""
    word = text.strip().upper()
    if word.isdigit() and 0 < int(word) <= signal.SIGRTMAX:
        return int(word)
    base, plus, offset = word.removeprefix("SIG").partition("+")
    if base in ("RTMIN", "RTMAX") and plus and offset.isdigit():
        return int(getattr(signal, f"SIG{base}")) + int(offset)
    try:
        return int(signal.Signals[f"SIG{base}"])
    except KeyError:
        raise Invalid(f"{text!r} is not a signal") from None
