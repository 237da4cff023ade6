"""What a controller's `plan` returns, and how it reads numbers out of `linux.resources`.

Pure. Every planned write carries the field of config.json that asked for it, so that a refusal
of the kernel can be told in the words of whoever wrote the file.
"""

from __future__ import annotations

from runtime.errors import SpecInvalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Section = Mapping[str, Any]


class Write:
    """One value for one file of a cgroup."""

    __slots__ = (
        "field",
        "file",
        "keeps_first",
        "not_below",
        "otherwise",
        "required",
        "usage",
        "value",
    )

    def __init__(
        self,
        file: str,
        value: str,
        field: str,
        *,
        otherwise: Write | None = None,
        required: bool = True,
        not_below: str | None = None,
        usage: str | None = None,
        keeps_first: bool = False,
    ) -> None:
        self.file = file
        self.value = value
        self.field = field
        """Where config.json asks for it, from `linux.resources.` on."""
        self.otherwise = otherwise
        """Taken instead where the kernel has no such file."""
        self.required = required
        """False: a kernel without the file, or one that refuses, is a warning."""
        self.not_below = not_below
        """A file whose number the value must not be lower than."""
        self.usage = usage
        """A file that says why a lower value is refused."""
        self.keeps_first = keeps_first
        """The value is the second of two in the file, whose first stays as it is."""

    def __repr__(self) -> str:
        return f"Write({self.file!r}, {self.value!r})"


def section(resources: Section, key: str) -> Section:
    """An object of `linux.resources`; absent and null are an empty one."""
    value = resources.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise SpecInvalid(f"linux.resources.{key}: must be an object")
    return value  # pyright: ignore[reportUnknownVariableType]


def entries(resources: Section, key: str, field: str) -> list[Section]:
    """An array of objects; absent and null are an empty one."""
    value = resources.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(
        isinstance(entry, dict)
        for entry in value  # pyright: ignore[reportUnknownVariableType]
    ):
        raise SpecInvalid(f"linux.resources.{field}: must be an array of objects")
    return value  # pyright: ignore[reportUnknownVariableType]


def integer(values: Section, key: str, field: str) -> int | None:
    """A number, or None where it is absent or null."""
    value = values.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise SpecInvalid(f"linux.resources.{field}: must be an integer")
    return value


def flag(values: Section, key: str, field: str) -> bool | None:
    value = values.get(key)
    if value is not None and not isinstance(value, bool):
        raise SpecInvalid(f"linux.resources.{field}: must be true or false")
    return value


def needed(values: Section, key: str, field: str) -> int:
    value = integer(values, key, f"{field}.{key}")
    if value is None:
        raise SpecInvalid(f"linux.resources.{field}: {key} is missing")
    return value


def word(values: Section, key: str, field: str) -> str | None:
    """A string of one line, or None where it is absent, null or empty."""
    value = values.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or "\n" in value or "\0" in value:
        raise SpecInvalid(f"linux.resources.{field}: must be a string of one line")
    return value


def device_number(values: Section, field: str) -> str:
    return f"{needed(values, 'major', field)}:{needed(values, 'minor', field)}"
