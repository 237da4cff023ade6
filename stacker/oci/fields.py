"""JSON from outside, read strictly: bounded, no key twice, every field of the type it should be.

Used by every parse function of this package; nothing else calls `json.loads` on such bytes.
Two readers that disagree about a doubled key, or about `layers` and `Layers`, are how an image
gets two meanings (CVE-2021-41190), so both are refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import cast

from stacker.base.errors import Corrupt, Invalid
from stacker.oci.digest import Digest

DOCUMENT_LIMIT = 4 * 1024 * 1024
"""The distribution specification lets registries refuse larger manifests."""

INT64_MAX = 2**63 - 1


class Fields:
    """One JSON object, and the path to it for messages. A null field counts as absent."""

    __slots__ = ("_values", "what")

    def __init__(self, values: Mapping[str, object], what: str) -> None:
        self._values = values
        self.what = what

    def values(self) -> Mapping[str, object]:
        """The object as it is, with fields that nobody asks for."""
        return self._values

    def has(self, key: str) -> bool:
        return self._values.get(key) is not None

    def refuse_other_cases(self, keys: Iterable[str]) -> None:
        """Refuse keys that a reader without regard to case would take for one of these."""
        known = {key.lower(): key for key in keys}
        for key in self._values:
            if known.get(key.lower(), key) != key:
                raise self.wrong(f"field {key[:40]!r} differs from a known one by case only")

    def text(self, key: str) -> str:
        value = self.text_or_none(key)
        if value is None:
            raise self.wrong(f"{key} is missing")

        return value

    def text_or_none(self, key: str) -> str | None:
        value = self._values.get(key)
        return None if value is None else self._text(value, key)

    def integer(self, key: str) -> int:
        value = self.integer_or_none(key)
        if value is None:
            raise self.wrong(f"{key} is missing")

        return value

    def integer_or_none(self, key: str) -> int | None:
        value = self._values.get(key)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) > INT64_MAX:
            raise self.wrong(f"{key} is not a whole number of 64 bits")

        return value

    def flag(self, key: str) -> bool:
        value = self._values.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(f"{key} is neither true nor false")

        return value is True

    def digest(self, key: str) -> Digest:
        try:
            return Digest.parse(self.text(key))
        except Invalid as error:
            raise self.wrong(f"{key}: {error.message}") from error

    def texts(self, key: str) -> tuple[str, ...]:
        return tuple(
            self._text(value, f"{key}[{number}]") for number, value in enumerate(self._list(key))
        )

    def digests(self, key: str) -> tuple[Digest, ...]:
        try:
            return tuple(map(Digest.parse, self.texts(key)))
        except Invalid as error:
            raise self.wrong(f"{key}: {error.message}") from error

    def text_map(self, key: str) -> dict[str, str]:
        child = self.child(key)
        if child is None:
            return {}

        return {name: child.text_or_none(name) or "" for name in child.names()}

    def names(self) -> tuple[str, ...]:
        """The keys, in the order of the document."""
        return tuple(self._values)

    def child(self, key: str) -> Fields | None:
        value = self._values.get(key)
        return None if value is None else self._object(value, key)

    def children(self, key: str, *, limit: int) -> tuple[Fields, ...]:
        values = self._list(key)
        if len(values) > limit:
            raise self.wrong(f"{key} has {len(values)} entries, more than {limit}")

        return tuple(self._object(value, f"{key}[{n}]") for n, value in enumerate(values))

    def wrong(self, why: str) -> Corrupt:
        """The error for this object, to be raised."""
        return Corrupt(f"{self.what}: {why}")

    def _list(self, key: str) -> list[object]:
        value = self._values.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(f"{key} is not a list")

        return cast("list[object]", value)

    def _object(self, value: object, key: str) -> Fields:
        if not isinstance(value, dict):
            raise self.wrong(f"{key} is not an object")

        return Fields(cast("dict[str, object]", value), f"{self.what}.{key}")

    def _text(self, value: object, key: str) -> str:
        if not isinstance(value, str) or not _is_encodable(value):
            raise self.wrong(f"{key} is not a string")

        return value


def load_object(data: bytes, *, what: str, limit: int = DOCUMENT_LIMIT) -> Fields:
    """Read one JSON object, or raise Corrupt."""
    value = load_json(data, what=what, limit=limit)
    if not isinstance(value, dict):
        raise Corrupt(f"{what}: is not a JSON object")

    return Fields(cast("dict[str, object]", value), what)


def load_objects(data: bytes, *, what: str, limit: int = DOCUMENT_LIMIT) -> tuple[Fields, ...]:
    """Read a JSON list of objects, or raise Corrupt."""
    holder = Fields({"list": load_json(data, what=what, limit=limit)}, what)
    return holder.children("list", limit=10_000)


def load_json(data: bytes, *, what: str, limit: int) -> object:
    """Read one JSON value, refusing what is ambiguous or unbounded."""
    if len(data) > limit:
        raise Corrupt(f"{what}: {len(data)} bytes are more than {limit}")

    try:
        return cast(
            "object",
            json.loads(
                data.decode("utf-8"),
                object_pairs_hook=_unique,
                parse_constant=_no_constant,
            ),
        )
    except (ValueError, RecursionError) as error:
        raise Corrupt(f"{what}: is not strict JSON: {str(error)[:100]}") from error


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a key appears twice")

    return values


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")


def _is_encodable(text: str) -> bool:
    """JSON can spell half a surrogate pair, which no file or header can hold."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
