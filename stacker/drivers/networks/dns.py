"""What a DNS query is answered with: pure, bytes in, a decision out (RFC 1035, RFC 6891).

A name that is ours is answered here, with no data for types other than A; the rest is passed on
as it came, or does not exist for those who may not ask the outside. What is not a well-formed
query gets no answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from stacker.drivers.networks.dns_names import Asker, Names

TTL = 5
"""Seconds: containers come and go."""
UDP_LIMIT = 512
MOST_IN_A_DATAGRAM = 24
"""Addresses that fit beside a name of ordinary length."""
_EDNS_LIMIT = 1232
_HEADER = 12
_REVERSE = ".in-addr.arpa."


@dataclass(frozen=True, slots=True)
class Reply:
    wire: bytes


@dataclass(frozen=True, slots=True)
class Forward:
    """Ask the asker's upstreams, or the host's."""

    upstreams: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drop:
    """Say nothing: it is not a query, or it comes from somebody we do not know."""


Decision = Reply | Forward | Drop


def decide(wire: bytes, source: str, names: Names, *, turn: int, tcp: bool) -> Decision:
    """Decide about one query; ``turn`` counts up, so that replicas take turns."""
    asker = names.askers.get(source)
    if asker is None or len(wire) < _HEADER:
        return Drop()

    try:
        query = dns.message.from_wire(wire)
    except (dns.exception.DNSException, ValueError, OverflowError):
        return Drop()
    if query.flags & dns.flags.QR:
        return Drop()
    if query.opcode() != dns.opcode.QUERY:
        return _reply(query, dns.rcode.NOTIMP, tcp=tcp)
    if len(query.question) != 1:
        return _reply(query, dns.rcode.FORMERR, tcp=tcp)

    question = query.question[0]
    if question.rdclass != dns.rdataclass.IN:
        return _reply(query, dns.rcode.REFUSED, tcp=tcp)
    return _about(query, question, asker, names, turn=turn, tcp=tcp)


def failure(wire: bytes) -> bytes | None:
    """The answer when no upstream has one."""
    try:
        query = dns.message.from_wire(wire, question_only=True)
    except (dns.exception.DNSException, ValueError):
        return None
    response = dns.message.make_response(query, recursion_available=True)
    response.set_rcode(dns.rcode.SERVFAIL)
    return response.to_wire()


def _about(
    query: dns.message.Message,
    question: dns.rrset.RRset,
    asker: Asker,
    names: Names,
    *,
    turn: int,
    tcp: bool,
) -> Decision:
    name = question.name.to_text().lower()
    address = _reversed(name)
    if address is not None:
        pointer = names.pointer(asker, address)
        if pointer is not None:
            return _pointer_reply(query, question, pointer, tcp=tcp)
    else:
        addresses = names.lookup(asker, name)
        if addresses is not None:
            return _address_reply(query, question, _rotated(addresses, turn), tcp=tcp)

    if asker.forwards:
        return Forward(asker.upstreams)
    return _reply(query, dns.rcode.NXDOMAIN, tcp=tcp)


def _address_reply(
    query: dns.message.Message,
    question: dns.rrset.RRset,
    addresses: tuple[str, ...],
    *,
    tcp: bool,
) -> Reply:
    if question.rdtype not in (dns.rdatatype.A, dns.rdatatype.ANY):
        # the name exists and has no such data: with NXDOMAIN musl would give up on A too
        return _reply(query, dns.rcode.NOERROR, tcp=tcp)
    # more replicas take turns in being left out: many resolvers do not ask again over TCP
    some = addresses if tcp else addresses[:MOST_IN_A_DATAGRAM]
    answer = dns.rrset.from_text(question.name, TTL, "IN", "A", *some)
    return _reply(query, dns.rcode.NOERROR, answer, tcp=tcp)


def _pointer_reply(
    query: dns.message.Message, question: dns.rrset.RRset, pointer: str, *, tcp: bool
) -> Reply:
    if question.rdtype not in (dns.rdatatype.PTR, dns.rdatatype.ANY):
        return _reply(query, dns.rcode.NOERROR, tcp=tcp)
    answer = dns.rrset.from_text(question.name, TTL, "IN", "PTR", f"{pointer}.")
    return _reply(query, dns.rcode.NOERROR, answer, tcp=tcp)


def _reply(
    query: dns.message.Message,
    rcode: dns.rcode.Rcode,
    answer: dns.rrset.RRset | None = None,
    *,
    tcp: bool,
) -> Reply:
    response = dns.message.make_response(query, recursion_available=True)
    response.flags |= dns.flags.AA
    response.set_rcode(rcode)
    if answer is not None:
        response.answer.append(answer)
    limit = 65535 if tcp else max(UDP_LIMIT, min(query.payload, _EDNS_LIMIT))
    try:
        return Reply(response.to_wire(max_size=limit, want_shuffle=False))
    except dns.exception.TooBig:
        # RFC 2181 section 9: the client asks again over TCP
        response.answer.clear()
        response.flags |= dns.flags.TC
        return Reply(response.to_wire(max_size=limit, want_shuffle=False))


def _rotated(addresses: tuple[str, ...], turn: int) -> tuple[str, ...]:
    start = turn % len(addresses)
    return addresses[start:] + addresses[:start]


def _reversed(name: str) -> str | None:
    """The address that ``2.0.89.10.in-addr.arpa.`` asks for."""
    if not name.endswith(_REVERSE):
        return None
    labels = name.removesuffix(_REVERSE).split(".")
    try:
        return str(IPv4Address(".".join(reversed(labels))))
    except ValueError:
        return None
