"""Take typed fields out of a JSON object, with errors that name the field by its full path."""

from __future__ import annotations

from runtime.errors import SpecInvalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from runtime.spec.model import Json

    T = TypeVar("T")

_WORDS: dict[type, str] = {
    str: "a string",
    bool: "true or false",
    int: "an integer",
    list: "a list",
    dict: "an object",
}
_LAST_UNSIGNED = 2**32 - 2  # 2^32-1 is "no id" for the kernel (CVE-2024-40635)


class Fields:
    """One JSON object and where in config.json it stands."""

    __slots__ = ("at", "values")

    def __init__(self, values: object, at: str) -> None:
        if not isinstance(values, dict):
            raise SpecInvalid(f"{at or 'config.json'}: expected an object")
        self.values: Json = values
        self.at = at

    def path(self, name: str) -> str:
        return f"{self.at}.{name}" if self.at else name

    def text(self, name: str, default: str | None = "") -> str:
        value = self._typed(name, str, default)
        if "\0" in value:
            raise SpecInvalid(f"{self.path(name)}: holds a NUL character")
        return value

    def flag(self, name: str) -> bool:
        return self._typed(name, bool, False)

    def number(self, name: str, default: int | None = None, low: int = 0, high: int = 2**64) -> int:
        value = self._typed(name, int, default)
        if not low <= value <= high:
            raise SpecInvalid(f"{self.path(name)}: {value} is not between {low} and {high}")
        return value

    def maybe_number(self, name: str, low: int, high: int) -> int | None:
        return None if self.values.get(name) is None else self.number(name, None, low, high)

    def identity(self, name: str, default: int | None = 0) -> int:
        return self.number(name, default, 0, _LAST_UNSIGNED)

    def texts(self, name: str) -> tuple[str, ...]:
        items = self._typed(name, list, [])
        for index, item in enumerate(items):
            if not isinstance(item, str):
                raise SpecInvalid(f"{self.path(name)}[{index}]: expected a string")
            if "\0" in item:
                raise SpecInvalid(f"{self.path(name)}[{index}]: holds a NUL character")
        return tuple(items)

    def identities(self, name: str) -> tuple[int, ...]:
        items = self._typed(name, list, [])
        by_index = Fields({str(index): item for index, item in enumerate(items)}, self.path(name))
        return tuple(by_index.identity(index, None) for index in by_index.values)

    def table(self, name: str) -> dict[str, str]:
        inner = self.within(name)
        return {key: inner.text(key, None) for key in inner.values}

    def raw(self, name: str) -> Json:
        return self._typed(name, dict, {})

    def maybe_raw(self, name: str) -> Json | None:
        return None if self.values.get(name) is None else self.raw(name)

    def within(self, name: str) -> Fields:
        """The object under a name; an empty one when it is absent."""
        return Fields(self.raw(name), self.path(name))

    def maybe(self, name: str, parse: Callable[[Fields], T]) -> T | None:
        return None if self.values.get(name) is None else parse(self.within(name))

    def each(self, name: str, parse: Callable[[Fields], T]) -> tuple[T, ...]:
        items = self._typed(name, list, [])
        return tuple(
            parse(Fields(item, f"{self.path(name)}[{index}]")) for index, item in enumerate(items)
        )

    def _typed(self, name: str, kind: type[T], default: T | None) -> T:
        value = self.values.get(name)
        if value is None:
            if default is None:
                raise SpecInvalid(f"{self.path(name)}: missing")
            return default
        # a JSON true is an int to Python
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise SpecInvalid(f"{self.path(name)}: expected {_WORDS[kind]}")
        return value
