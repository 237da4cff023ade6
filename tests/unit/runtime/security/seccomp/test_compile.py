"""Compiled profiles, run on a simulated machine, against the profile read directly."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.errors import SpecInvalid
from runtime.security.seccomp import actions
from runtime.security.seccomp.compile import compile_profile
from runtime.security.seccomp.numbers import AUDIT, X32_BIT, read_numbers
from runtime.security.seccomp.profile import parse_profile

from . import machine

NUMBERS = read_numbers()
X86_64, X86, X32 = "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"
NONE = (0, 0, 0, 0, 0, 0)


def compiled(profile: dict[str, Any], native: str = X86_64) -> bytes:
    return compile_profile(parse_profile(profile, native), NUMBERS)


def ask(
    profile: dict[str, Any],
    name: str,
    *arguments: int,
    architecture: str = X86_64,
    native: str = X86_64,
) -> int:
    [number] = NUMBERS.of(architecture, (name,))
    padded = (*arguments, *NONE)[:6]
    return machine.run(compiled(profile, native), AUDIT[architecture], number, padded)


def rule(action: str, *names: str, **more: object) -> dict[str, object]:
    return {"names": list(names), "action": action, **more}


def argument(index: int, op: str, value: int, second: int = 0) -> dict[str, object]:
    return {"index": index, "op": f"SCMP_CMP_{op}", "value": value, "valueTwo": second}


words = st.one_of(
    st.sampled_from([0, 1, 38, 40, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 32, (1 << 32) + 38, (1 << 64) - 1]),
    st.integers(0, 50),
    st.integers(0, (1 << 64) - 1),
)
names = st.sampled_from(
    [
        "read",
        "write",
        "socket",
        "clone",
        "clone3",
        "openat2",
        "mseal",
        "socketcall",
        "personality",
        "bind",
        "ipc",
        "shmat",
        "semop",
    ]
)
conditions = st.builds(
    lambda index, op, value, second: argument(index, op, value, second),
    st.integers(0, 2),
    st.sampled_from(["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"]),
    words,
    words,
)
rules = st.builds(
    lambda action, called, args: rule(action, *called, args=args),
    st.sampled_from(["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_TRAP"]),
    st.sets(names, min_size=1).map(sorted),
    st.lists(conditions, max_size=3),
)
profiles = st.builds(
    lambda default, architectures, syscalls: {
        "defaultAction": default,
        "architectures": architectures,
        "syscalls": syscalls,
    },
    st.sampled_from(["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_LOG"]),
    st.sets(st.sampled_from([X86_64, X86, X32])).map(sorted),
    st.lists(rules, max_size=8),
)


@settings(max_examples=400, deadline=None)
@given(
    profiles,
    st.lists(
        st.tuples(
            st.sampled_from([X86_64, X86, X32]),
            st.one_of(names, st.integers(0, 600)),
            st.tuples(*[words] * 6),
        ),
        min_size=1,
        max_size=12,
    ),
)
def test_program_answers_what_the_profile_says(
    profile: dict[str, Any], calls: list[tuple[str, str | int, tuple[int, ...]]]
) -> None:
    program = compiled(profile)
    allowed = {X86_64, *profile["architectures"]}
    for architecture, call, wide in calls:
        bit = X32_BIT if architecture == X32 else 0
        found = NUMBERS.of(architecture, (call,)) if isinstance(call, str) else [call | bit]
        # the kernel gives a 32-bit process's arguments with zeros above
        arguments = tuple(word & 0xFFFFFFFF for word in wide) if architecture == X86 else wide
        for number in found:
            expected = (
                machine.answer(profile, NUMBERS, architecture, number, arguments)
                if architecture in allowed
                else actions.KILL_PROCESS
            )
            assert machine.run(program, AUDIT[architecture], number, arguments) == expected


def test_a_program_longer_than_a_jump_still_reaches_everything() -> None:
    """Hundreds of conditions push answers out of the reach of an 8-bit jump."""
    called = ["read", "write", "openat", "close", "mmap", "ioctl", "futex", "socket"]
    profile: dict[str, Any] = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": [X86_64, X86, X32],
        "syscalls": [
            rule("SCMP_ACT_ALLOW", name, args=[argument(0, "EQ", 1000 * at + index)])
            for at, name in enumerate(called)
            for index in range(30)
        ],
    }
    program = compiled(profile)
    assert len(program) // 8 > 1000
    for at, name in enumerate(called):
        [number] = NUMBERS.of(X86_64, (name,))
        for value in (1000 * at, 1000 * at + 29, 1000 * at + 30, (1 << 32) + 1000 * at):
            arguments = (value, 0, 0, 0, 0, 0)
            expected = machine.answer(profile, NUMBERS, X86_64, number, arguments)
            assert machine.run(program, AUDIT[X86_64], number, arguments) == expected


def test_a_program_the_kernel_would_refuse_is_an_error() -> None:
    rules_ = [rule("SCMP_ACT_ALLOW", "read", args=[argument(0, "EQ", n)]) for n in range(2000)]
    with pytest.raises(SpecInvalid, match="4096"):
        compiled({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules_})


def test_masked_comparison_cannot_be_passed_with_a_high_bit() -> None:
    """The kernel cuts the family of socket(2) to an int; a comparison of 64 bits does not."""
    low = 0xFFFFFFFF
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [
            rule("SCMP_ACT_ERRNO", "socket", args=[argument(0, "MASKED_EQ", low, 40)]),
        ],
    }
    denied = actions.ERRNO | 1
    assert ask(profile, "socket", 40) == denied
    assert ask(profile, "socket", (1 << 32) + 40) == denied
    assert ask(profile, "socket", 2) == actions.ALLOW


def test_conditions_on_one_argument_are_alternatives() -> None:
    args = [argument(0, "EQ", 1), argument(0, "EQ", 2)]
    profile = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [rule("SCMP_ACT_ALLOW", "personality", args=args)],
    }
    assert ask(profile, "personality", 1) == actions.ALLOW
    assert ask(profile, "personality", 2) == actions.ALLOW
    assert ask(profile, "personality", 3) == actions.ERRNO | 1


def test_calls_newer_than_the_profile_do_not_exist() -> None:
    profile = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule("SCMP_ACT_ALLOW", "openat2")]}
    assert ask(profile, "faccessat2") == actions.NO_SUCH_CALL
    assert ask(profile, "openat") == actions.ERRNO | 1
    loud = {**profile, "defaultAction": "SCMP_ACT_KILL_PROCESS"}
    assert ask(loud, "faccessat2") == actions.KILL_PROCESS


def test_a_foreign_architecture_ends_the_process() -> None:
    profile = {"defaultAction": "SCMP_ACT_ALLOW"}
    assert ask(profile, "read", architecture=X86_64) == actions.ALLOW
    assert ask(profile, "read", architecture=X32) == actions.KILL_PROCESS
    assert ask(profile, "read", architecture=X86) == actions.KILL_PROCESS
    assert ask(profile, "read", architecture="SCMP_ARCH_AARCH64") == actions.KILL_PROCESS
    own = "SCMP_ARCH_AARCH64"
    assert ask(profile, "read", architecture=own, native=own) == actions.ALLOW


def test_an_unknown_name_is_left_out_of_what_is_allowed_only() -> None:
    compiled({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule("SCMP_ACT_ALLOW", "warp9")]})
    compiled({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule("SCMP_ACT_ERRNO", "warp9")]})
    with pytest.raises(SpecInvalid, match="warp9"):
        compiled({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule("SCMP_ACT_ERRNO", "warp9")]})


@pytest.mark.parametrize(
    ("profile", "text"),
    [
        ({}, "defaultAction"),
        ({"defaultAction": "ALLOW"}, "defaultAction"),
        ({"defaultAction": "SCMP_ACT_NOTIFY"}, "default"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1}, "errnoRet"),
        ({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 70000}, "errnoRet"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["x86"]}, "architecture"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "flags": ["TSYNC"]}, "flag"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": {}}, None),
        ({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"action": "SCMP_ACT_LOG"}]}, "names"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule("X", "read")]}, "action"),
        (
            {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule("SCMP_ACT_NOTIFY", "read")]},
            "listenerPath",
        ),
        (
            {
                "defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [rule("SCMP_ACT_LOG", "read", args=[argument(6, "EQ", 0)])],
            },
            "6 arguments",
        ),
        (
            {
                "defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [rule("SCMP_ACT_LOG", "read", args=[argument(0, "IS", 0)])],
            },
            "operator",
        ),
        (
            {
                "defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [rule("SCMP_ACT_LOG", "read", args=[argument(0, "EQ", -1)])],
            },
            "64 bits",
        ),
    ],
)
def test_a_wrong_profile_is_refused_by_field(profile: dict[str, Any], text: str | None) -> None:
    if text is None:
        compiled(profile)  # an empty object says nothing, as an absent array does
        return
    with pytest.raises(SpecInvalid, match=text):
        compiled(profile)


def test_a_call_is_denied_by_its_second_way_too() -> None:
    """32-bit x86 has sockets and System V objects by number in another call's first argument."""
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": [X86_64, X86],
        "syscalls": [
            rule("SCMP_ACT_ERRNO", "socket", args=[argument(0, "EQ", 38)]),
            rule("SCMP_ACT_ERRNO", "shmat"),
            rule("SCMP_ACT_ALLOW", "bind"),
        ],
    }
    denied = actions.action_number("SCMP_ACT_ERRNO", None, "")

    def asked(name: str, first: int) -> int:
        return ask(profile, name, first, architecture=X86)

    # the family lies behind a pointer
    assert [asked("socketcall", number) for number in (1, 2, 8)] == [denied] + [actions.ALLOW] * 2
    assert [asked("ipc", number) for number in (21, 1 << 16 | 21, 22)] == [
        denied, denied, actions.ALLOW,
    ]  # fmt: skip
    assert ask(profile, "socket", 2) == actions.ALLOW
