"""D-Bus as bytes: against the specification's own layout, and any bytes at all."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.cgroups.systemd.address import endpoints, host_uid, paths_of
from runtime.cgroups.systemd.marshal import Malformed, Reader, Variant, encode, split
from runtime.cgroups.systemd.message import (
    METHOD_CALL,
    Message,
    message_size,
    pack,
    unpack,
)


@pytest.mark.parametrize(
    ("signature", "values", "data"),
    [
        ("u", (1,), "01000000"),
        ("yu", (1, 2), "0100000002000000"),
        ("b", (True,), "01000000"),
        ("s", ("foo",), "03000000666f6f00"),
        ("g", ("as",), "02617300"),
        ("ay", (b"ab",), "020000006162"),
        ("at", ([5],), "08000000000000000500000000000000"),
        ("at", ([],), "0000000000000000"),
        ("v", (Variant("b", True),), "0162000001000000"),
        ("(yu)", ((1, 2),), "0100000002000000"),
        ("a(ss)", ([("a", "b")],), "0e0000000000000001000000610000000100000062 00"),
    ],
)
def test_values_as_bytes(signature: str, values: tuple[object, ...], data: str) -> None:
    assert encode(signature, values) == bytes.fromhex(data)
    assert tuple(Reader(bytes.fromhex(data)).read_all(signature)) == values


def test_a_call_there_and_back() -> None:
    fields = {"path": "/a", "interface": "b.c", "member": "D", "signature": "sa(sv)"}
    body = ("unit", [("Slice", Variant("s", "x")), ("PIDs", Variant("au", [7]))])
    data = pack(Message(METHOD_CALL, serial=3, fields=fields, body=body))
    assert message_size(data[:16]) == len(data)
    read = unpack(data)
    assert (read.kind, read.serial, read.fields, read.body) == (METHOD_CALL, 3, fields, body)


def test_signatures_are_split() -> None:
    assert split("sa(sv)a{sv}u") == ["s", "a(sv)", "a{sv}", "u"]
    for wrong in ("(", "()", "a", "z", "(s", "a" * 40 + "s"):
        with pytest.raises(Malformed):
            split(wrong)


@given(st.binary(max_size=200), st.sampled_from(["v", "a(yv)", "ss", "av", "aas"]))
def test_any_bytes_are_read_or_refused(data: bytes, signature: str) -> None:
    with contextlib.suppress(Malformed):
        Reader(data).read_all(signature)


@given(st.binary(min_size=16, max_size=200))
def test_any_message_is_read_or_refused(data: bytes) -> None:
    for start in (b"l\x02\x00\x01", b"B\x02\x00\x01"):
        with contextlib.suppress(Malformed):
            message_size(start + data[4:16])
            unpack(start + data[4:])


def test_addresses() -> None:
    address = "tcp:host=x;unix:abstract=/a;unix:path=/run/a%2db,guid=1;unix:path=/c"
    assert paths_of(address) == ["/run/a-b", "/c"]
    assert [one.path for one in endpoints({}, 0)] == [
        "/run/systemd/private",
        "/run/dbus/system_bus_socket",
    ]
    assert [one.path for one in endpoints({"XDG_RUNTIME_DIR": "/x"}, 7)] == [
        "/x/systemd/private",
        "/x/bus",
    ]
    [named] = endpoints({"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/b"}, 0)
    assert (named.path, named.is_bus) == ("/b", True)


def test_the_uid_outside_of_a_user_namespace() -> None:
    assert (
        host_uid(0, "         0       1000          1\n         1     100000      65536\n") == 1000
    )
    assert host_uid(5, "0 1000 1\n1 100000 65536\n") == 100004
