"""Asking the outside for a name that is not ours: the query goes on as it came.

Bounded by the caller's limits and by a time for each server. An answer counts only when it comes
from the server that was asked (a connected socket), carries the id that was sent and repeats the
question; the id is a fresh random one, so a container cannot prepare answers for another.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Sequence

import anyio

from stacker.drivers.networks.dns import failure

PATIENCE_S = 2.5
_LARGEST_UDP = 65535
_PORT = 53


async def forward(wire: bytes, servers: Sequence[str], *, tcp: bool) -> bytes | None:
    """The first answer of the servers in their order; a failure when none of them has one."""
    ask = _ask_tcp if tcp else _ask_udp
    fresh = secrets.token_bytes(2) + wire[2:]
    for server in servers:
        try:
            with anyio.move_on_after(PATIENCE_S):
                answer = await ask(fresh, server)
                if answer is not None:
                    return wire[:2] + answer[2:]
        except OSError:
            continue
    return failure(wire)


async def _ask_udp(wire: bytes, server: str) -> bytes | None:
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as one:
        one.setblocking(False)
        one.connect((server, _PORT))
        one.send(wire)
        while True:
            await anyio.wait_readable(one)
            answer = one.recv(_LARGEST_UDP)
            if _answers(answer, wire):
                return answer


async def _ask_tcp(wire: bytes, server: str) -> bytes | None:
    async with await anyio.connect_tcp(server, _PORT) as stream:
        await stream.send(len(wire).to_bytes(2, "big") + wire)
        received = b""
        while len(received) < 2 or len(received) < 2 + int.from_bytes(received[:2], "big"):
            try:
                received += await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return None
        answer = received[2 : 2 + int.from_bytes(received[:2], "big")]
        return answer if _answers(answer, wire) else None


def _answers(answer: bytes, wire: bytes) -> bool:
    """Whether this is a response, to this id and this question."""
    end = _question_end(wire)
    return (
        len(answer) >= 12
        and answer[:2] == wire[:2]
        and bool(answer[2] & 0x80)
        and answer[12:end].lower() == wire[12:end].lower()
    )


def _question_end(wire: bytes) -> int:
    """Where the question ends: after its name, type and class. The query was parsed before."""
    position = 12
    while position < len(wire) and wire[position]:
        position += wire[position] + 1
    return position + 5
