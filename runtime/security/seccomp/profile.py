"""`linux.seccomp` of config.json, checked and in numbers. Pure."""

from __future__ import annotations

from runtime.errors import SpecInvalid
from runtime.security.seccomp import actions
from runtime.security.seccomp.numbers import AUDIT, FOREIGN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Object = Mapping[str, Any]

_WHERE = "linux.seccomp"
_ARGUMENTS = 6
_WORD = 0xFFFFFFFFFFFFFFFF

OPERATORS = frozenset(
    f"SCMP_CMP_{name}" for name in ("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ")
)

# seccomp(2); the flag for a listener is not for config.json to set
FLAGS = {
    "SECCOMP_FILTER_FLAG_TSYNC": 1,
    "SECCOMP_FILTER_FLAG_LOG": 2,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": 4,
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": 32,
}


class Condition:
    """One comparison of one argument; for MASKED_EQ `value` is the mask, `second` the result."""

    __slots__ = ("index", "operator", "second", "value")

    def __init__(self, index: int, operator: str, value: int, second: int) -> None:
        self.index = index
        self.operator = operator
        self.value = value
        self.second = second

    @property
    def key(self) -> tuple[int, str, int, int]:
        return self.index, self.operator, self.value, self.second


class Rule:
    """An action for some system calls when all conditions hold."""

    __slots__ = ("action", "conditions", "names")

    def __init__(
        self, names: tuple[str, ...], action: int, conditions: tuple[Condition, ...]
    ) -> None:
        self.names = names
        self.action = action
        self.conditions = conditions


class Profile:
    __slots__ = ("architectures", "default", "flags", "rules")

    def __init__(
        self, *, default: int, architectures: tuple[str, ...], rules: list[Rule], flags: int
    ) -> None:
        self.default = default
        self.architectures = architectures
        self.rules = rules
        """The first one whose conditions hold decides; those without conditions come last."""
        self.flags = flags

    @property
    def notifies(self) -> bool:
        return any(rule.action == actions.NOTIFY for rule in self.rules)


def parse_profile(seccomp: Object, native: str) -> Profile:
    """`native` is the architecture of the machine, taken where the profile names none."""
    default = actions.action_number(
        seccomp.get("defaultAction"),
        seccomp.get("defaultErrnoRet"),
        f"{_WHERE}.defaultAction",
    )
    if default == actions.NOTIFY:
        # the process that has to answer could not even start
        raise SpecInvalid(f"{_WHERE}.defaultAction: SCMP_ACT_NOTIFY cannot be the default")
    rules: list[Rule] = []
    for index, entry in enumerate(_objects(seccomp, "syscalls", _WHERE)):
        rules.extend(_rules(entry, f"{_WHERE}.syscalls[{index}]"))
    profile = Profile(
        default=default,
        architectures=_architectures(seccomp, native),
        rules=rules,
        flags=_flags(seccomp),
    )
    _check_listener(seccomp, notifies=profile.notifies)
    return profile


def _check_listener(seccomp: Object, *, notifies: bool) -> None:
    path, metadata = seccomp.get("listenerPath") or "", seccomp.get("listenerMetadata") or ""
    for key, value in (("listenerPath", path), ("listenerMetadata", metadata)):
        if not isinstance(value, str) or "\0" in value:
            raise SpecInvalid(f"{_WHERE}.{key}: must be a string without NUL")
    if path and not path.startswith("/"):
        raise SpecInvalid(f"{_WHERE}.listenerPath: {path!r} is not an absolute path")
    if metadata and not path:
        raise SpecInvalid(f"{_WHERE}.listenerMetadata: needs listenerPath")
    if notifies and not path:
        raise SpecInvalid(f"{_WHERE}.listenerPath: SCMP_ACT_NOTIFY needs it")


def _rules(entry: Object, where: str) -> list[Rule]:
    names = tuple(_strings(entry, "names", where))
    if not names:
        raise SpecInvalid(f"{where}.names: is empty")
    action = actions.action_number(entry.get("action"), entry.get("errnoRet"), where)
    conditions = [
        _condition(item, f"{where}.args[{index}]")
        for index, item in enumerate(_objects(entry, "args", where))
    ]
    if len({condition.index for condition in conditions}) == len(conditions):
        return [Rule(names, action, tuple(conditions))]
    # several conditions on one argument are alternatives: profiles rely on it since the runtimes
    # could not express them otherwise
    return [Rule(names, action, (condition,)) for condition in conditions]


def _condition(item: Object, where: str) -> Condition:
    operator = item.get("op")
    if not isinstance(operator, str) or operator not in OPERATORS:
        raise SpecInvalid(f"{where}.op: {operator!r} is not an operator")
    index = _number(item, "index", where)
    if index >= _ARGUMENTS:
        raise SpecInvalid(f"{where}.index: a system call has {_ARGUMENTS} arguments")
    return Condition(
        index, operator, _number(item, "value", where), _number(item, "valueTwo", where)
    )


def _number(item: Object, key: str, where: str) -> int:
    value = item.get(key, 0)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _WORD:
        raise SpecInvalid(f"{where}.{key}: {value!r} is not a number of 64 bits")
    return value


def _architectures(seccomp: Object, native: str) -> tuple[str, ...]:
    named = _strings(seccomp, "architectures", _WHERE)
    for index, name in enumerate(named):
        if name not in AUDIT and name not in FOREIGN:
            raise SpecInvalid(f"{_WHERE}.architectures[{index}]: {name!r} is not an architecture")
    wanted = [name for name in named if name in AUDIT]
    # a profile that forgets the machine's own architecture would end every process of it
    return tuple(dict.fromkeys([native, *wanted]))


def _flags(seccomp: Object) -> int:
    flags = 0
    for index, name in enumerate(_strings(seccomp, "flags", _WHERE)):
        if name not in FLAGS:
            raise SpecInvalid(f"{_WHERE}.flags[{index}]: {name!r} is not a flag")
        flags |= FLAGS[name]
    return flags


def _objects(parent: Object, key: str, where: str) -> list[Object]:
    return _array(parent, key, dict, f"{where}.{key}: must be an array of objects")


def _strings(parent: Object, key: str, where: str) -> list[str]:
    return _array(parent, key, str, f"{where}.{key}: must be an array of strings")


def _array(parent: Object, key: str, kind: type, otherwise: str) -> list[Any]:
    value: Any = parent.get(key) or []
    if not isinstance(value, list):
        raise SpecInvalid(otherwise)
    items: list[Any] = value  # pyright: ignore[reportUnknownVariableType]
    if not all(isinstance(item, kind) for item in items):
        raise SpecInvalid(otherwise)
    return items
