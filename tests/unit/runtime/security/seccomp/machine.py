"""A classic BPF machine, and a direct reading of a profile to hold it against."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from runtime.security.seccomp import actions, multiplexed
from runtime.security.seccomp.numbers import AUDIT, NARROW, PRIVATE, X32_BIT, Numbers

WORD = (1 << 64) - 1


def run(program: bytes, audit: int, number: int, arguments: tuple[int, ...]) -> int:
    """What the kernel's interpreter would answer; every jump must stay inside."""
    data = struct.pack("<IIQ6Q", number, audit, 0, *arguments)
    code = list(struct.iter_unpack("<HBBI", program))
    accumulator = at = 0
    while True:
        operation, when_true, when_false, value = code[at]
        at += 1
        match operation:
            case 0x20:
                assert value % 4 == 0
                (accumulator,) = struct.unpack_from("<I", data, value)
            case 0x54:
                accumulator &= value
            case 0x05:
                at += value
            case 0x15:
                at += when_true if accumulator == value else when_false
            case 0x25:
                at += when_true if accumulator > value else when_false
            case 0x35:
                at += when_true if accumulator >= value else when_false
            case 0x06:
                return value
            case _:
                raise AssertionError(f"opcode {operation:#x}")


def holds(condition: dict[str, Any], arguments: tuple[int, ...], mask: int) -> bool:
    argument = arguments[condition["index"]] & mask
    value = condition.get("value", 0) & mask
    match condition["op"]:
        case "SCMP_CMP_NE":
            return argument != value
        case "SCMP_CMP_LT":
            return argument < value
        case "SCMP_CMP_LE":
            return argument <= value
        case "SCMP_CMP_EQ":
            return argument == value
        case "SCMP_CMP_GE":
            return argument >= value
        case "SCMP_CMP_GT":
            return argument > value
        case "SCMP_CMP_MASKED_EQ":
            return argument & value == condition.get("valueTwo", 0) & mask
        case _:
            raise AssertionError(condition)


def answer(
    profile: dict[str, Any],
    numbers: Numbers,
    architecture: str,
    number: int,
    arguments: tuple[int, ...],
) -> int:
    """The profile, read as the rules at the top of compile.py say it."""
    mask = 0xFFFFFFFF if architecture in NARROW else WORD
    default = actions.action_number(profile["defaultAction"], profile.get("defaultErrnoRet"), "")
    highest = -1
    plain: list[int] = []
    rules: list[dict[str, Any]] = list(profile.get("syscalls", []))
    if architecture == multiplexed.ARCHITECTURE:
        rules += [second for rule in rules for second in _second_ways(rule, default)]
    for rule in rules:
        found = numbers.of(architecture, tuple(rule["names"]))
        highest = max([highest, *(one for one in found if one & ~X32_BIT < PRIVATE)])
        if number not in found:
            continue
        action = actions.action_number(rule["action"], rule.get("errnoRet"), "")
        conditions = rule.get("args") or []
        if not conditions:
            plain.append(action)
            continue
        truths = [holds(condition, arguments, mask) for condition in conditions]
        indexes = [condition["index"] for condition in conditions]
        matched = any(truths) if len(set(indexes)) < len(indexes) else all(truths)
        if matched:
            return action
    if plain:
        return plain[0]
    if number > highest >= 0 and actions.is_error(default):
        return actions.NO_SUCH_CALL
    return default


def _second_ways(rule: dict[str, Any], default: int) -> Iterator[dict[str, Any]]:
    action = actions.action_number(rule["action"], rule.get("errnoRet"), "")
    if action in (actions.ALLOW, actions.LOG, default):
        return
    for name in rule["names"]:
        if name in multiplexed.WAYS:
            call, bits, number = multiplexed.WAYS[name]
            condition = {"index": 0, "op": "SCMP_CMP_MASKED_EQ", "value": bits, "valueTwo": number}
            yield {**rule, "names": [call], "args": [condition]}


def architecture_of(audit: int, number: int) -> str:
    if audit == AUDIT["SCMP_ARCH_X86_64"]:
        return "SCMP_ARCH_X32" if number >= X32_BIT else "SCMP_ARCH_X86_64"
    return next(name for name, value in AUDIT.items() if value == audit)
