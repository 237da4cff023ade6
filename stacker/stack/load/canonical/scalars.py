"""Single values: text to number, size, duration, name.

What a field does not accept is refused with what it does accept; nothing is guessed.
"""

from __future__ import annotations

import ipaddress
import math
import re
import shlex
import signal

from stacker.base.errors import Invalid
from stacker.oci import pull_policy as policies
from stacker.stack.load.canonical.decode import Decoder, list_of, refuse, text_of
from stacker.stack.load.problems import quoted
from stacker.stack.load.tree import At, ListNode

_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "y"), True),
    **dict.fromkeys(("false", "no", "off", "n"), False),
}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,18})")
_DECIMAL = re.compile(r"[-+]?[0-9]{1,15}(\.[0-9]{0,15})?")
_SIZE = re.compile(r"([0-9]{1,19}(?:\.[0-9]{1,9})?) ?(?:([kmgtp])i?)?b?", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
_DURATION = re.compile(r"(?:[0-9]{1,12}(?:\.[0-9]{1,9})?(?:ns|us|µs|ms|s|m|h|d|w))+")
_DURATION_PART = re.compile(r"([0-9.]+)(ns|us|µs|ms|s|m|h|d|w)")
_SECONDS = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3,
    "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800,
}  # fmt: skip
_OCTAL = re.compile(r"0?o?[0-7]{1,4}")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}")
_HOSTNAME = re.compile(r"(?!-)[a-zA-Z0-9_-]{1,63}(?<!-)(\.(?!-)[a-zA-Z0-9_-]{1,63}(?<!-))*")

MAX_SIZE = (1 << 63) - 1
MAX_SECONDS = 10**9
MAX_ARGUMENT = 131_071
"""MAX_ARG_STRLEN without its NUL, linux/binfmts.h: no argument of execve(2) is longer."""


def string(at: At) -> str:
    return text_of(at)


def word(at: At) -> str:
    """A string that is neither empty nor holds white space."""
    text = text_of(at)
    if not text or any(char.isspace() for char in text):
        refuse(at, f"expected a word, found {quoted(text)}")

    return text


def boolean(at: At) -> bool:
    text = text_of(at)
    value = _BOOLEANS.get(text.lower())
    if value is None:
        refuse(at, f"expected true or false, found {quoted(text)}")

    return value


def integer(low: int, high: int = MAX_SIZE) -> Decoder[int]:
    def decode(at: At) -> int:
        text = text_of(at)
        if not _INTEGER.fullmatch(text):
            refuse(at, f"expected a whole number, found {quoted(text)}")

        value = int(text)
        if not low <= value <= high:
            bounds = f"at least {low}" if high == MAX_SIZE else f"from {low} to {high}"
            refuse(at, f"{text} is out of bounds: {bounds}")

        return value

    return decode


def number(at: At) -> float:
    """A finite decimal number, not negative."""
    text = text_of(at)
    if not _DECIMAL.fullmatch(text):
        refuse(at, f"expected a number, found {quoted(text)}")

    value = float(text)
    if value < 0:
        refuse(at, f"{text} is out of bounds: at least 0")

    return value


def size(at: At) -> int:
    """Bytes, with the units of Docker, all of them powers of 1024: `512m`, `1gb`, `64MiB`."""
    text = text_of(at)
    match = _SIZE.fullmatch(text)
    if match is None:
        refuse(at, f"expected a size such as 64m or 1gb, found {quoted(text)}")

    digits, unit = match[1], _UNITS[(match[2] or "").lower()]
    value = int(digits) * unit if digits.isdigit() else math.floor(float(digits) * unit)
    if value > MAX_SIZE:
        refuse(at, f"{text} is larger than any memory or disk")

    return value


def size_or_unlimited(at: At) -> int:
    """A size, or -1."""
    return -1 if text_of(at) == "-1" else size(at)


def duration(at: At) -> float:
    """Seconds, from Go's notation: `1m30s`, `500ms`."""
    text = text_of(at)
    if text == "0":
        return 0.0
    if not _DURATION.fullmatch(text):
        hint = f': with its unit, "{text}s"' if text.isdigit() and len(text) < 10 else ""
        refuse(at, f"expected a duration such as 1m30s, found {quoted(text)}{hint}")

    value = sum(float(part) * _SECONDS[unit] for part, unit in _DURATION_PART.findall(text))
    if value > MAX_SECONDS:
        refuse(at, f"{text} is longer than 30 years")

    return round(value, 9)


def probe_duration(at: At) -> float:
    """A duration of a health check: Docker's API takes 0, or at least a millisecond."""
    value = duration(at)
    if 0 < value < 0.001:
        refuse(at, "a duration of at least 1ms is needed here")

    return value


def file_mode(at: At) -> int:
    """Permission bits, octal as chmod(1) writes them: `0440`, `440`, `"0o440"`."""
    text = text_of(at)
    if not _OCTAL.fullmatch(text):
        refuse(at, f"expected a file mode in octal such as 0440, found {quoted(text)}")

    return int(text.lower().replace("o", ""), 8)


def name(at: At) -> str:
    """A name of a container, volume or network, as Docker allows them."""
    return checked_name(at, text_of(at))


def checked_name(at: At, text: str) -> str:
    if not _NAME.fullmatch(text):
        refuse(
            at,
            f"{quoted(text)} is not a name: a letter or digit, then letters, digits, _ . and -,"
            " at most 128",
        )

    return text


def hostname(at: At) -> str:
    text = text_of(at)
    # HOST_NAME_MAX, sethostname(2)
    if len(text) > 64:
        refuse(at, f"{quoted(text)} is longer than the 64 characters of a host name")

    return checked_hostname(at, text)


def dns_name(at: At) -> str:
    return checked_hostname(at, text_of(at))


def checked_hostname(at: At, text: str) -> str:
    if len(text) > 253 or not _HOSTNAME.fullmatch(text):
        refuse(at, f"{quoted(text)} is not a host name")

    return text


def address(at: At) -> str:
    return checked_address(at, text_of(at))


def checked_address(at: At, text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        refuse(at, f"{quoted(text)} is not an address")


def ipv4_address(at: At) -> str:
    try:
        return str(ipaddress.IPv4Address(text_of(at)))
    except ValueError:
        refuse(at, f"{quoted(text_of(at))} is not an IPv4 address")


def ipv4_network(at: At) -> str:
    try:
        return str(ipaddress.IPv4Network(text_of(at)))
    except ValueError:
        refuse(at, f"{quoted(text_of(at))} is not an IPv4 subnet such as 10.1.0.0/24")


def container_path(at: At) -> str:
    return checked_container_path(at, text_of(at))


def checked_container_path(at: At, text: str) -> str:
    """An absolute path in the container, without `.` and `..`; never the root itself."""
    if not text.startswith("/") or len(text) > 4095:
        refuse(at, f"{quoted(text)} is not an absolute path in the container")

    parts: list[str] = []
    for part in text.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    if not parts:
        refuse(at, "the root of the container cannot be the target")

    return "/" + "/".join(parts)


def arguments(at: At) -> tuple[str, ...]:
    """A command: a list of arguments, or one line that is split as a shell would."""
    if isinstance(at.node, ListNode):
        return list_of(_argument)(at)

    try:
        return tuple(shlex.split(_argument(at)))
    except ValueError as error:
        refuse(at, f"the command line cannot be split: {str(error).lower()}")


def _argument(at: At) -> str:
    text = text_of(at)
    if len(text) > MAX_ARGUMENT:
        refuse(at, f"longer than the {MAX_ARGUMENT} characters an argument may have")

    return text


_REALTIME = re.compile(r"RT(MIN|MAX)([-+][0-9]{1,2})?")


def stop_signal(at: At) -> str:
    """`SIGTERM` for `term`, `TERM`, `15`; `SIGRTMIN+3` as it is."""
    text = text_of(at)
    bare = text.upper().removeprefix("SIG")
    if _REALTIME.fullmatch(bare) or f"SIG{bare}" in signal.Signals.__members__:
        return f"SIG{bare}"

    numbers = {str(member.value): member.name for member in signal.Signals}
    if text not in numbers:
        refuse(at, f"{quoted(text)} is not a signal")

    return numbers[text]


def pull_policy(at: At) -> str:
    """As it is written, but for the old spelling of `missing`."""
    text = text_of(at)
    try:
        policies.parse(text)
    except Invalid:
        refuse(at, f"{quoted(text)} is none of {policies.FORMS}")
    return "missing" if text == "if_not_present" else text
