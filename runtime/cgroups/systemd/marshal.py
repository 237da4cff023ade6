"""Values as D-Bus has them in bytes (D-Bus specification, "Marshaling"). Pure.

Every value stands at a multiple of its alignment from the start of the message: bodies begin at
a multiple of 8, so that they can be written on their own. What is read is bounded by the bytes
there are, and by the depth that the specification allows.
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# code -> (struct's code, size, which is the alignment too)
_FIXED = {
    "y": ("B", 1),
    "b": ("I", 4),
    "n": ("h", 2),
    "q": ("H", 2),
    "i": ("i", 4),
    "u": ("I", 4),
    "x": ("q", 8),
    "t": ("Q", 8),
    "d": ("d", 8),
}
_ALIGNMENT = {"s": 4, "o": 4, "g": 1, "v": 1, "a": 4, "(": 8, "{": 8}
_DEEPEST = 32
_CLOSING = {"(": ")", "{": "}"}


class Malformed(ValueError):
    """Bytes, or a signature, that are no D-Bus."""


class Variant:
    """A value that carries its type along."""

    __slots__ = ("signature", "value")

    def __init__(self, signature: str, value: Any) -> None:
        self.signature = signature
        self.value = value

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Variant)
            and self.signature == other.signature
            and self.value == other.value
        )

    def __repr__(self) -> str:
        return f"Variant({self.signature!r}, {self.value!r})"


def split(signature: str) -> list[str]:
    """The complete types of a signature: `sa(sv)u` as s, a(sv) and u."""
    types: list[str] = []
    position = 0
    while position < len(signature):
        end = _end_of_type(signature, position, 0)
        types.append(signature[position:end])
        position = end
    return types


def encode(signature: str, values: tuple[Any, ...]) -> bytes:
    data = bytearray()
    for kind, value in zip(split(signature), values, strict=True):
        _write(data, kind, value)
    return bytes(data)


class Reader:
    """Reads values one after the other; `offset` counts from the start of the message."""

    __slots__ = ("_data", "_order", "offset")

    def __init__(self, data: bytes, *, little: bool = True, offset: int = 0) -> None:
        self._data = data
        self._order = "<" if little else ">"
        self.offset = offset

    def read_all(self, signature: str) -> list[Any]:
        return [self.read(kind) for kind in split(signature)]

    def align(self, size: int) -> None:
        self.offset += -self.offset % size

    def read(self, kind: str, depth: int = 0) -> Any:
        if depth > _DEEPEST:
            raise Malformed("a value is nested too deep")
        code = kind[0]
        if code in _FIXED:
            value = self._fixed(code)
            return bool(value) if code == "b" else value
        if code in "sog":
            length = self._fixed("y" if code == "g" else "u")
            return self._take(length + 1)[:-1].decode("utf-8", "replace")
        if code == "v":
            inner = split(self.read("g"))
            if len(inner) != 1:
                raise Malformed("a variant holds one value")
            return Variant(inner[0], self.read(inner[0], depth + 1))
        if code == "a":
            return self._array(kind[1:], depth)
        self.align(8)
        return tuple(self.read(inner, depth + 1) for inner in split(kind[1:-1]))

    def _array(self, inner: str, depth: int) -> Any:
        length = self._fixed("u")
        self.align(_alignment(inner))
        end = self.offset + length
        if end > len(self._data):
            raise Malformed("an array is longer than its message")
        if inner == "y":
            return self._take(length)
        found: list[Any] = []
        while self.offset < end:
            found.append(self.read(inner, depth + 1))
        return found

    def _fixed(self, code: str) -> Any:
        form, size = _FIXED[code]
        self.align(size)
        return struct.unpack(self._order + form, self._take(size))[0]

    def _take(self, length: int) -> bytes:
        taken = self._data[self.offset : self.offset + length]
        if len(taken) != length:
            raise Malformed("a value goes beyond the end of its message")
        self.offset += length
        return taken


def _write(data: bytearray, kind: str, value: Any) -> None:
    code = kind[0]
    data += bytes(-len(data) % _alignment(kind))
    if code in _FIXED:
        data += struct.pack("<" + _FIXED[code][0], value)
    elif code in "sog":
        text = value.encode("utf-8")
        if b"\0" in text:
            raise Malformed("a string holds a zero byte")
        data += struct.pack("<B" if code == "g" else "<I", len(text)) + text + b"\0"
    elif code == "v":
        _write(data, "g", value.signature)
        _write(data, value.signature, value.value)
    elif code == "a":
        _write_array(data, kind[1:], value)
    else:
        for inner, item in zip(split(kind[1:-1]), value, strict=True):
            _write(data, inner, item)


def _write_array(data: bytearray, inner: str, values: Any) -> None:
    length_at = len(data)
    data += bytes(4)
    # the length does not count what aligns the first element
    data += bytes(-len(data) % _alignment(inner))
    start = len(data)
    if inner == "y":
        data += values
    else:
        for value in values:
            _write(data, inner, value)
    struct.pack_into("<I", data, length_at, len(data) - start)


def _alignment(kind: str) -> int:
    code = kind[0]
    return _FIXED[code][1] if code in _FIXED else _ALIGNMENT[code]


def _end_of_type(signature: str, start: int, depth: int) -> int:
    if start >= len(signature) or depth > _DEEPEST:
        raise Malformed(f"signature {signature!r}: incomplete, or nested too deep")
    code = signature[start]
    if code in _FIXED or code in "sogv":
        return start + 1
    if code == "a":
        return _end_of_type(signature, start + 1, depth + 1)
    if code not in _CLOSING:
        raise Malformed(f"signature {signature!r}: {code!r} is no type")
    position = start + 1
    while position < len(signature) and signature[position] != _CLOSING[code]:
        position = _end_of_type(signature, position, depth + 1)
    if position >= len(signature) or position == start + 1:
        raise Malformed(f"signature {signature!r}: a structure is empty or has no end")
    return position + 1
