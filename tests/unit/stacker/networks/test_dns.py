from __future__ import annotations

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacker.drivers.networks.dns import Drop, Forward, Reply, decide
from stacker.drivers.networks.dns_names import index
from tests.unit.stacker.networks.made import records, sandbox_spec

WEB, API, DB, SAFE = "10.89.0.2", "10.89.0.3", "10.89.1.2", "10.89.2.2"
NAMES = index(
    records(
        sandbox_spec("web-1", "front", aliases=("web", "WWW")),
        sandbox_spec("web-2", "front", aliases=("web",), links=(("Backend", "web-1"),)),
        sandbox_spec("db", "back"),
        sandbox_spec("safe", "vault"),
        *(sandbox_spec(f"crowd-{n}", "back", aliases=("crowd",)) for n in range(100)),
    )
)


def ask(name: str, kind: str = "A", *, source: str = WEB, turn: int = 0, tcp: bool = False) -> str:
    wire = dns.message.make_query(name, kind).to_wire()
    match decide(wire, source, NAMES, turn=turn, tcp=tcp):
        case Reply(answer):
            assert tcp or len(answer) <= 512
            read = dns.message.from_wire(answer)
            assert read.id == int.from_bytes(wire[:2], "big")
            assert read.flags & dns.flags.AA
            data = [str(item) for rrset in read.answer for item in rrset]
            return " ".join([dns.rcode.to_text(read.rcode()), *data])
        case Forward():
            return "forward"
        case Drop():
            return "drop"


@pytest.mark.parametrize(
    ("source", "name", "kind", "expected"),
    [
        (WEB, "web-1", "A", f"NOERROR {WEB}"),
        (WEB, "www", "A", f"NOERROR {WEB}"),
        (WEB, "WwW.FRONT.", "A", f"NOERROR {WEB}"),
        (WEB, "www", "AAAA", "NOERROR"),
        (API, "backend", "A", f"NOERROR {WEB}"),
        (API, "backend.front", "A", "forward"),
        (WEB, "backend", "A", "forward"),
        (WEB, "www", "TXT", "NOERROR"),
        (WEB, "db", "A", "forward"),
        (WEB, "example.com", "A", "forward"),
        (WEB, "2.0.89.10.in-addr.arpa", "PTR", "NOERROR web-1.front."),
        (WEB, "2.0.89.10.in-addr.arpa", "A", "NOERROR"),
        (WEB, "2.1.89.10.in-addr.arpa", "PTR", "forward"),
        (WEB, "x.in-addr.arpa", "PTR", "forward"),
        (SAFE, "safe", "A", f"NOERROR {SAFE}"),
        (SAFE, "example.com", "A", "NXDOMAIN"),
        (SAFE, "2.0.89.10.in-addr.arpa", "PTR", "NXDOMAIN"),
        ("10.89.0.1", "www", "A", f"NOERROR {WEB}"),
        ("192.0.2.1", "www", "A", "drop"),
    ],
)
def test_answers(source: str, name: str, kind: str, expected: str) -> None:
    assert ask(name, kind, source=source) == expected


def test_replicas_take_turns() -> None:
    assert ask("web", turn=0) == f"NOERROR {WEB} {API}"
    assert ask("web", turn=1) == f"NOERROR {API} {WEB}"


def test_a_crowd_fits_into_a_datagram_and_is_whole_over_tcp() -> None:
    assert len(ask("crowd", source=DB).split()) == 1 + 24
    assert len(ask("crowd", source=DB, tcp=True).split()) == 1 + 100


def test_what_is_no_query_gets_no_answer_or_its_code() -> None:
    query = dns.message.make_query("www", "A")
    answer = dns.message.make_response(query).to_wire()
    assert decide(answer, WEB, NAMES, turn=0, tcp=False) == Drop()
    query.set_opcode(dns.opcode.STATUS)
    reply = decide(query.to_wire(), WEB, NAMES, turn=0, tcp=False)
    assert isinstance(reply, Reply)
    assert dns.message.from_wire(reply.wire).rcode() == dns.rcode.NOTIMP
    empty = dns.message.Message(id=7).to_wire()
    reply = decide(empty, WEB, NAMES, turn=0, tcp=False)
    assert isinstance(reply, Reply)
    assert dns.message.from_wire(reply.wire).rcode() == dns.rcode.FORMERR


@given(st.binary(max_size=600))
def test_rubbish_never_raises(wire: bytes) -> None:
    decide(wire, WEB, NAMES, turn=0, tcp=False)


@given(st.integers(0, 40), st.binary(min_size=1, max_size=4))
def test_a_damaged_query_never_raises(position: int, damage: bytes) -> None:
    wire = dns.message.make_query("www.example.com", "A", use_edns=0).to_wire()
    damaged = wire[:position] + damage + wire[position + len(damage) :]
    decide(damaged, WEB, NAMES, turn=0, tcp=False)
