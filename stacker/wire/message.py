"""The base of all messages: typed fields, and a strict codec to and from JSON values.

A message is written like a keyword-only frozen dataclass and behaves like one, but is made without
``dataclasses`` (10 ms of a cold start). The codec reads the annotations, so they are the schema;
``docs/openapi.yaml`` is held against them. Decoding raises Invalid and names the field for
anything unknown, missing, mistyped, or longer than the bounds below.

The grammar of an annotation: ``str int float bool Json`` (any object), a message's name,
``tuple[X, ...]``, ``dict[str, X]``, each with an optional ``| None``; and ``Scalar``.
"""

from __future__ import annotations

from stacker.base.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar, cast, dataclass_transform

    M = TypeVar("M", bound="Message")
    C = TypeVar("C", dict[str, object], list[object])
else:

    def dataclass_transform(**_):
        return lambda cls: cls

    def cast(_, value):
        return value


MAX_TEXT = 1 << 20
MAX_ITEMS = 100_000

Scalar = str | int | float | bool | None
Json = dict[str, object]

_REQUIRED = object()
_MESSAGES: dict[str, type[Message]] = {}


@dataclass_transform(kw_only_default=True, frozen_default=True)
class _MessageType(type):
    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, object]) -> type:
        fields = cast("dict[str, str]", namespace.get("__annotations__", {}))
        namespace["FIELDS"] = fields
        namespace["DEFAULTS"] = {name: namespace.pop(name, _REQUIRED) for name in fields}
        namespace["__slots__"] = tuple(fields)
        cls = super().__new__(mcs, name, bases, namespace)
        _MESSAGES[name] = cast("type[Message]", cls)
        return cls


class Message(metaclass=_MessageType):
    def __init__(self, **values: object) -> None:
        for name, default in _defaults(type(self)).items():
            value = values.pop(name, default)
            if value is _REQUIRED:
                raise TypeError(f"{type(self).__name__} needs {name}")
            object.__setattr__(self, name, value)
        if values:
            raise TypeError(f"{type(self).__name__} has no {', '.join(values)}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and encode(self) == encode(other)

    __hash__ = None  # pyright: ignore[reportAssignmentType] messages may hold dicts

    def __repr__(self) -> str:
        inner = ", ".join(f"{name}={getattr(self, name)!r}" for name in fields_of(type(self)))
        return f"{type(self).__name__}({inner})"


def fields_of(cls: type[Message]) -> dict[str, str]:
    """Return each field's annotation, in the order of declaration."""
    return vars(cls)["FIELDS"]


def required_of(cls: type[Message]) -> list[str]:
    """Return the fields that a sender must give."""
    return [name for name, default in _defaults(cls).items() if default is _REQUIRED]


def named(name: str) -> type[Message]:
    """Return the message of that name."""
    return _MESSAGES[name]


def encode(message: Message) -> dict[str, object]:
    """Turn a message into what ``json.dumps`` takes."""
    return {name: _plain(getattr(message, name)) for name in fields_of(type(message))}


def decode(cls: type[M], value: object, *, lenient: bool = False) -> M:
    """Check a parsed JSON value and build the message; raise Invalid when it is not one.

    ``lenient`` ignores fields that are not known, for answers of a newer supervisor.
    """
    return _message(cls, value, cls.__name__, lenient)


def _defaults(cls: type[Message]) -> dict[str, object]:
    return vars(cls)["DEFAULTS"]


def _plain(value: object) -> object:
    if isinstance(value, Message):
        return encode(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in cast("tuple[object, ...]", value)]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in cast("dict[str, object]", value).items()}
    return value


def _message(cls: type[M], value: object, where: str, lenient: bool) -> M:
    given = _object(value, where)
    fields = fields_of(cls)
    if not lenient and (unknown := sorted(given.keys() - fields.keys())):
        raise Invalid(f"unknown field {unknown[0][:100]!r}", where=where)

    values: dict[str, object] = {}
    for name, annotation in fields.items():
        if name in given:
            values[name] = _value(annotation, given[name], f"{where}.{name}", lenient)
        elif _defaults(cls)[name] is _REQUIRED:
            raise Invalid(f"field {name!r} is missing", where=where)
    return cls(**values)


def _value(annotation: str, value: object, where: str, lenient: bool) -> object:
    if annotation == "Scalar":
        return _scalar(value, where)
    if annotation.endswith(" | None"):
        if value is None:
            return None
        annotation = annotation[: -len(" | None")]
    if annotation.startswith("tuple["):
        inner = annotation[len("tuple[") : -len(", ...]")]
        items = enumerate(_array(value, where))
        return tuple(_value(inner, item, f"{where}[{i}]", lenient) for i, item in items)
    if annotation.startswith("dict["):
        inner = annotation[len("dict[str, ") : -len("]")]
        pairs = _object(value, where).items()
        return {key: _value(inner, item, f"{where}.{key[:100]}", lenient) for key, item in pairs}
    if check := _CHECKS.get(annotation):
        return check(value, where)
    return _message(_MESSAGES[annotation], value, where, lenient)


def _object(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise Invalid(f"expected an object, got {_kind(value)}", where=where)
    return _counted(cast("dict[str, object]", value), where)


def _array(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise Invalid(f"expected an array, got {_kind(value)}", where=where)
    return _counted(cast("list[object]", value), where)


def _counted(value: C, where: str) -> C:
    if len(value) > MAX_ITEMS:
        raise Invalid(f"more than {MAX_ITEMS} entries", where=where)
    return value


def _scalar(value: object, where: str) -> object:
    if isinstance(value, dict | list):
        raise Invalid("expected a plain value", where=where)
    return _bounded(value, where)


def _bounded(value: object, where: str) -> object:
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise Invalid(f"longer than {MAX_TEXT} characters", where=where)
    return value


def _text(value: object, where: str) -> object:
    if not isinstance(value, str):
        raise Invalid(f"expected a string, got {_kind(value)}", where=where)
    return _bounded(value, where)


def _integer(value: object, where: str) -> object:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Invalid(f"expected an integer, got {_kind(value)}", where=where)
    if not -(1 << 63) <= value < 1 << 63:
        raise Invalid("the number is too large", where=where)
    return value


def _number(value: object, where: str) -> object:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Invalid(f"expected a number, got {_kind(value)}", where=where)
    if not -1e18 < value < 1e18:  # also refuses NaN, which json.loads lets in
        raise Invalid("the number is too large", where=where)
    return value


def _truth(value: object, where: str) -> object:
    if not isinstance(value, bool):
        raise Invalid(f"expected true or false, got {_kind(value)}", where=where)
    return value


_CHECKS: dict[str, Callable[[object, str], object]] = {
    "str": _text,
    "int": _integer,
    "float": _number,
    "bool": _truth,
    "Json": _object,
}


def _kind(value: object) -> str:
    return _KINDS.get(type(value), type(value).__name__)


_KINDS: dict[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "null",
}
