"""The number fields of tar headers: octal text, base-256, pax decimals.

Python's int() takes signs, underscores and any Unicode digit; a header may hold none of them, so
every text is checked first. All functions raise Corrupt only.
"""

from __future__ import annotations

import functools

from stacker.base.errors import Corrupt

_BASE256 = 0x80
_BASE256_NEGATIVE = 0x40
ID_MAX = (1 << 32) - 2  # (uid_t)-1 means "leave it", so no file can belong to it
_TIME_MAX = 1 << 62  # seconds; far beyond any file system, and its nanoseconds still fit 128 bits


@functools.lru_cache(maxsize=8192)
def number(field: bytes) -> int:
    """A header field. Cached: modes, owners and times repeat through an archive."""
    text = field.split(b"\0", 1)[0].strip(b" ")
    if text.isdigit():
        try:
            return int(text, 8)
        except ValueError:
            pass
    elif not text and not field[:1].strip(b"\0 "):
        return 0
    if field[0] & _BASE256:
        value = int.from_bytes(field, "big", signed=False)
        bits = 8 * len(field)
        if field[0] & _BASE256_NEGATIVE:
            return value - (1 << bits)
        return value - (1 << (bits - 1))
    raise Corrupt(f"tar header: {field!r} is not a number")


def unsigned(field: bytes, limit: int, what: str) -> int:
    """A header field from 0 to `limit`: CVE-2025-8194 was a negative size."""
    value = number(field)
    if not 0 <= value <= limit:
        raise Corrupt(f"tar header: {what} {value} is out of range")
    return value


@functools.lru_cache(maxsize=8192)
def owner(field: bytes, what: str) -> int:
    """The uid or gid of a header. Cached, as `number`."""
    return unsigned(field, ID_MAX, what)


def decimal(text: bytes, limit: int, what: str) -> int:
    """A pax number: digits only."""
    if not text.isdigit() or len(text) > 20:
        raise Corrupt(f"pax header: {what} {text[:32]!r} is not a number")
    value = int(text)
    if value > limit:
        raise Corrupt(f"pax header: {what} {value} is out of range")
    return value


def pax_time(text: bytes) -> int:
    """``[-]seconds[.fraction]`` as nanoseconds, rounded down as the kernel's clocks are."""
    negative = text.startswith(b"-")
    seconds, _, fraction = text[negative:].partition(b".")
    if not seconds.isdigit() or len(seconds) > 18 or (fraction and not fraction.isdigit()):
        raise Corrupt(f"pax header: time {text[:32]!r} is not a number")
    nanoseconds = int(seconds) * 10**9 + int(fraction[:9].ljust(9, b"0"))
    if negative:
        # anything below the ninth digit moves a negative time further down
        return -nanoseconds - bool(fraction[9:].strip(b"0"))
    return nanoseconds


@functools.lru_cache(maxsize=8192)
def header_time(field: bytes) -> int:
    """The mtime field as nanoseconds; base-256 may make it negative."""
    value = number(field)
    if not -_TIME_MAX <= value <= _TIME_MAX:
        raise Corrupt(f"tar header: time {value} is out of range")
    return value * 10**9
