"""The messages between supervisor and monitor, as one table.

A packet of a SOCK_SEQPACKET socket holds one message as JSON:
``{"id": 7, "kind": "spawn", ...fields}``; file descriptors travel beside it (SCM_RIGHTS). A request
has an id of the sender's choice, its answer has the same; what the monitor says unasked has id 0.

    supervisor → monitor            answer
    Hello                           Welcome
    Spawn      (fds: 0, 1, 2)       Started (fds: pidfd, pty master) | Refused
    Call                            Result
    Adopt      (fds: pidfd, pty)    Done | Refused
    List                            Listing
    Attach                          Done (fds: stdin, or pty master) | Refused
    Forget, Drop, Shutdown          Done | Refused
    Keep       (fds)                Done | Refused
    Fetch                           Done (fds)
    Names                           Listing
    -                               Exited, to everyone who is connected

Both sides come from one installation, yet a monitor outlives an upgrade: VERSION is compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple, cast

VERSION = 1
LARGEST = 160 * 1024
"""Bytes of a packet; the kernel's default send buffer holds more."""
MOST_FDS = 250
"""The kernel passes 253 at most (SCM_MAX_FD)."""

CONSOLE = "@console"
"""In the arguments of a Spawn: the monitor puts the path of its console socket there."""

BUILTIN = "builtin"
"""As the program of a Spawn or Call: the runtime that the monitor forks from itself."""


class WireError(ValueError):
    """A packet that is not one of ours."""


class Hello(NamedTuple):
    version: int
    may_end: bool
    """The monitor ends by itself when nothing runs and nobody is connected for a minute."""


class Welcome(NamedTuple):
    version: int
    pid: int


class Stdio(NamedTuple):
    """Where the output of a process goes; not a message, part of Spawn and Adopt."""

    kind: str
    """``log``: pipes into the log; ``pty``: a terminal into the log; ``console``: a terminal that
    is handed over; ``fds``: the three fds of the message; ``null``: nowhere."""
    directory: str
    """Where the named pipes and the console socket lie."""
    log: str
    max_size: int
    max_files: int
    stdin: bool


class Spawn(NamedTuple):
    key: str
    argv: list[str]
    """A command of an OCI runtime that ends once the process runs, with its pid in pid_file."""
    environment: dict[str, str]
    pid_file: str
    stdio: Stdio
    journal: bool
    """False: the end of this process is told, and then forgotten (exec)."""


class Started(NamedTuple):
    pid: int
    start_time: int


class Refused(NamedTuple):
    code: int
    """The exit code of the runtime; 127 when it could not be started, 0 when it was not asked."""
    message: str


class Call(NamedTuple):
    argv: list[str]
    environment: dict[str, str]


class Result(NamedTuple):
    code: int
    output: str
    errors: str


class Adopt(NamedTuple):
    """Take over a process that another monitor started."""

    key: str
    pid: int
    start_time: int
    stdio: Stdio


class List(NamedTuple):
    pass


class Names(NamedTuple):
    pass


class Listing(NamedTuple):
    names: list[str]


class Attach(NamedTuple):
    key: str


class Forget(NamedTuple):
    key: str


class Keep(NamedTuple):
    """Hold duplicates of the fds that come along."""

    name: str
    more: bool
    """True: behind those that the name has; False: in their place."""


class Fetch(NamedTuple):
    name: str
    first: int
    """From which on; as many come as fit into a message."""


class Drop(NamedTuple):
    name: str


class Shutdown(NamedTuple):
    pass


class Done(NamedTuple):
    pass


class Exited(NamedTuple):
    key: str
    pid: int
    start_time: int
    code: int
    """-1: no witness knows how it ended."""
    signal: int
    """0: it ended by itself."""
    time_ns: int
    seq: int


REQUESTS = (Hello, Spawn, Call, Adopt, List, Names, Attach, Forget, Keep, Fetch, Drop, Shutdown)
ANSWERS = (Welcome, Started, Refused, Result, Listing, Done, Exited)

Request = (
    Hello | Spawn | Call | Adopt | List | Names | Attach | Forget | Keep | Fetch | Drop | Shutdown
)
Answer = Welcome | Started | Refused | Result | Listing | Done | Exited
Message = Request | Answer

_KINDS: dict[str, type[Message]] = {c.__name__.lower(): c for c in (*REQUESTS, *ANSWERS)}


def encode(number: int, message: Message) -> bytes:
    """Turn a message into a packet."""
    fields: dict[str, Any] = message._asdict()
    if isinstance(message, Spawn | Adopt):
        fields["stdio"] = message.stdio._asdict()
    packet = json.dumps({"id": number, "kind": type(message).__name__.lower(), **fields}).encode()
    if len(packet) > LARGEST:
        raise WireError(f"{type(message).__name__.lower()}: {len(packet)} bytes are too many")
    return packet


def decode(packet: bytes) -> tuple[int, Message]:
    """Turn a packet into a message; every field is there and has its type."""
    try:
        body = json.loads(packet)
    except (ValueError, RecursionError) as error:
        raise WireError("packet is not JSON") from error
    if not isinstance(body, dict):
        raise WireError("packet is not an object")

    fields = cast("dict[str, Any]", body)
    number, kind = fields.pop("id", None), fields.pop("kind", None)
    message = _KINDS.get(kind) if isinstance(kind, str) else None
    if message is None or type(number) is not int:
        raise WireError(f"no message of the kind {kind!r}")
    return number, cast("Message", _build(message, fields))


def _build(message: type[Any], fields: dict[str, Any]) -> Any:
    name = message.__name__.lower()
    wanted = _FIELDS[message]
    if fields.keys() != wanted.keys():
        wrong = ", ".join(sorted(fields.keys() ^ wanted.keys()))
        raise WireError(f"{name}: missing or unknown: {wrong}")
    if "stdio" in wanted and isinstance(fields["stdio"], dict):
        fields["stdio"] = _build(Stdio, cast("dict[str, Any]", fields["stdio"]))
    for field, kind in wanted.items():
        if not _CHECKS[kind](fields[field]):
            raise WireError(f"{name}: {field} is not {kind}")
    return message(**fields)


def _is_strings(value: Any) -> bool:
    return type(value) is list and all(type(v) is str for v in cast("list[Any]", value))


def _is_mapping(value: Any) -> bool:
    # the keys of a JSON object are always strings
    return type(value) is dict and _is_strings(list(cast("dict[str, Any]", value).values()))


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "str": lambda value: type(value) is str and "\0" not in value,
    "int": lambda value: type(value) is int,
    "bool": lambda value: type(value) is bool,
    "list[str]": _is_strings,
    "dict[str, str]": _is_mapping,
    "Stdio": lambda value: type(value) is Stdio,
}

_FIELDS: dict[type[Any], dict[str, str]] = {
    # the annotations are strings, which NamedTuple keeps as forward references
    message: {name: message.__annotations__[name].__forward_arg__ for name in message._fields}
    for message in (*REQUESTS, *ANSWERS, Stdio)
}
