"""A D-Bus message: its header and its body (D-Bus specification, "Message Protocol"). Pure."""

from __future__ import annotations

import struct

from runtime.cgroups.systemd.marshal import Malformed, Reader, Variant, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

METHOD_CALL, METHOD_RETURN, ERROR, SIGNAL = 1, 2, 3, 4

# header fields: code -> (name here, type)
_FIELDS = {
    1: ("path", "o"),
    2: ("interface", "s"),
    3: ("member", "s"),
    4: ("error_name", "s"),
    5: ("reply_serial", "u"),
    6: ("destination", "s"),
    7: ("sender", "s"),
    8: ("signature", "g"),
}
FIXED_SIZE = 16
"""So much has to be read to know the size of the whole: `message_size`."""
# the specification allows 128 MiB; what systemd tells us of one unit is a few hundred bytes
_LARGEST = 1 << 20
_VERSION = 1


class Message:
    """One message; fields of the header that it does not have are empty."""

    __slots__ = ("body", "fields", "kind", "serial")

    def __init__(
        self, kind: int, *, serial: int, fields: dict[str, Any], body: tuple[Any, ...] = ()
    ) -> None:
        self.kind = kind
        self.serial = serial
        self.fields = fields
        """By the names above; `signature` is the body's."""
        self.body = body

    def text(self, name: str) -> str:
        value = self.fields.get(name, "")
        return value if isinstance(value, str) else ""


def pack(message: Message) -> bytes:
    body = encode(message.text("signature"), message.body)
    present = [
        (code, Variant(kind, message.fields[name]))
        for code, (name, kind) in _FIELDS.items()
        if message.fields.get(name)
    ]
    start = (ord("l"), message.kind, 0, _VERSION, len(body), message.serial, present)
    header = encode("yyyyuua(yv)", start)
    return header + bytes(-len(header) % 8) + body


def message_size(start: bytes) -> int:
    """From the first FIXED_SIZE bytes to the size of the whole message."""
    order = _order(start)
    body, _, fields = struct.unpack_from(order + "III", start, 4)
    size = FIXED_SIZE + fields + (-fields % 8) + body
    if size > _LARGEST:
        raise Malformed(f"a message of {size} bytes: too large")
    return size


def unpack(data: bytes) -> Message:
    little = _order(data) == "<"
    reader = Reader(data, little=little)
    _, kind, _, _, body_length, serial, found = reader.read_all("yyyyuua(yv)")
    fields = {
        _FIELDS[code][0]: variant.value
        for code, variant in found
        if code in _FIELDS and variant.signature == _FIELDS[code][1]
    }
    reader.align(8)
    if reader.offset + body_length != len(data):
        raise Malformed("the body is not as long as the header says")
    message = Message(kind, serial=serial, fields=fields)
    message.body = tuple(reader.read_all(message.text("signature")))
    return message


def _order(start: bytes) -> str:
    if len(start) < FIXED_SIZE or start[0] not in b"lB" or start[3] != _VERSION:
        raise Malformed("not a D-Bus message")
    return "<" if start[0] == ord("l") else ">"
