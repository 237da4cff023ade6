"""The device program against a direct reading of the rules, by a small interpreter of eBPF."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.cgroups.device_bpf import device_program
from runtime.cgroups.device_rules import DEFAULT_DEVICES, DeviceRule, device_rules
from runtime.errors import SpecInvalid

KIND_BITS = {"b": 1, "c": 2}
ACCESS_BITS = {"m": 1, "r": 2, "w": 4}


def run(program: bytes, kind: str, major: int, minor: int, access: str) -> bool:
    wanted = sum(ACCESS_BITS[letter] for letter in access)
    context = struct.pack("<III", wanted << 16 | KIND_BITS[kind], major, minor)
    registers = [0] * 11
    at = 0
    while True:
        code, pair, offset, value = struct.unpack_from("<BBhi", program, at * 8)
        target, source = pair & 15, pair >> 4
        at += 1
        match code:
            case 0x61:
                (registers[target],) = struct.unpack_from("<I", context, offset)
            case 0xB4:
                registers[target] = value & 0xFFFFFFFF
            case 0xBC:
                registers[target] = registers[source]
            case 0x54:
                registers[target] &= value & 0xFFFFFFFF
            case 0x74:
                registers[target] >>= value
            case 0x15:
                at += offset if registers[target] == value else 0
            case 0x55:
                at += offset if registers[target] != value else 0
            case 0x95:
                return bool(registers[0])
            case _:
                raise AssertionError(f"opcode {code:#x}")


def decide(rules: list[DeviceRule], kind: str, major: int, minor: int, access: str) -> bool:
    """Each access by the last rule that speaks of it."""

    def allowed(letter: str) -> bool:
        verdict = True
        for rule in rules:
            if rule.is_reset:
                verdict = rule.allow
                continue
            speaks = (
                rule.kind == kind
                and rule.major in (None, major)
                and rule.minor in (None, minor)
                and letter in rule.access
            )
            verdict = rule.allow if speaks else verdict
        return verdict

    return all(allowed(letter) for letter in access)


numbers = st.one_of(st.none(), st.integers(0, 3))
accesses = st.sets(st.sampled_from("rwm"), min_size=1).map(lambda letters: "".join(sorted(letters)))
some_rules = st.lists(
    st.builds(
        DeviceRule,
        allow=st.booleans(),
        kind=st.sampled_from("abc"),
        major=numbers,
        minor=numbers,
        access=accesses,
    ),
    max_size=8,
)


@given(some_rules, st.sampled_from("bc"), st.integers(0, 3), st.integers(0, 3), accesses)
def test_program_says_what_the_rules_say(
    rules: list[DeviceRule], kind: str, major: int, minor: int, access: str
) -> None:
    program = device_program(rules)
    assert run(program, kind, major, minor, access) == decide(rules, kind, major, minor, access)


def test_default_devices_come_after_the_rules_of_config_json() -> None:
    rules = device_rules({"devices": [{"allow": False, "access": "rwm"}]})
    assert rules[0].is_reset
    assert rules[1:] == list(DEFAULT_DEVICES)
    program = device_program(rules)
    assert run(program, "c", 1, 3, "rw")
    assert not run(program, "c", 10, 229, "r")
    assert run(program, "b", 8, 0, "m")
    assert not run(program, "b", 8, 0, "r")


def test_nothing_said_is_nothing_to_do() -> None:
    assert device_rules({}) == []
    assert device_rules({"devices": []}) == []


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"allow": 1},
        {"allow": True, "type": "x"},
        {"allow": True, "access": "rx"},
        {"allow": True, "major": 1 << 32},
        {"allow": True, "minor": "3"},
    ],
)
def test_a_wrong_rule_is_refused(entry: dict[str, object]) -> None:
    with pytest.raises(SpecInvalid, match=r"linux\.resources\.devices"):
        device_rules({"devices": [entry]})
