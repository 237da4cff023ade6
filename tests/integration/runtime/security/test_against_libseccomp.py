"""Our compiler against libseccomp, which the other runtimes use: the same answer to every call."""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.security.seccomp import actions, numbers
from runtime.security.seccomp.compile import compile_profile
from runtime.security.seccomp.numbers import AUDIT, read_numbers
from runtime.security.seccomp.profile import parse_profile
from stacker.bundle.capabilities import DEFAULT, KNOWN
from stacker.bundle.seccomp import default_profile
from tests.unit.runtime.security.seccomp import machine

NATIVE = "SCMP_ARCH_X86_64"
ABIS = (NATIVE, "SCMP_ARCH_X86", "SCMP_ARCH_X32")
TOKENS = {"SCMP_ARCH_X86": 0x40000003, "SCMP_ARCH_X32": 0x4000003E}
OPERATORS = {
    f"SCMP_CMP_{name}": number
    for number, name in enumerate(("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"), start=1)
}
PODMANS = Path("/usr/share/containers/seccomp.json")
NUMBERS = read_numbers()
NAMES = tuple(json.loads(Path(numbers.__file__).with_name("syscalls.json").read_text())["numbers"])

_path = ctypes.util.find_library("seccomp")
pytestmark = [
    pytest.mark.skipif(_path is None, reason="libseccomp is not installed"),
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="libseccomp answers for its machine"),
]


class Comparison(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


def theirs(profile: dict[str, Any], tmp_path: Path) -> bytes:
    library = ctypes.CDLL(_path)
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]
    default = actions.action_number(profile["defaultAction"], profile.get("defaultErrnoRet"), "")
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(default)))
    for abi in profile["architectures"]:
        if abi != NATIVE:
            assert library.seccomp_arch_add(context, ctypes.c_uint32(TOKENS[abi])) == 0
    for rule in profile["syscalls"]:
        action = actions.action_number(rule["action"], rule.get("errnoRet"), "")
        if action == default:
            continue
        comparisons = (Comparison * 6)()
        args = rule.get("args") or []
        for index, item in enumerate(args):
            comparisons[index] = Comparison(
                item["index"], OPERATORS[item["op"]], item["value"], item.get("valueTwo", 0)
            )
        for name in rule["names"]:
            number = library.seccomp_syscall_resolve_name(name.encode())
            if number == -1:  # newer than the library
                continue
            result = library.seccomp_rule_add_array(
                context, ctypes.c_uint32(action), number, len(args), comparisons
            )
            assert result == 0, (name, result)
    path = tmp_path / "filter"
    with path.open("wb") as file:
        assert library.seccomp_export_bpf(context, file.fileno()) == 0
    library.seccomp_release(context)
    return path.read_bytes()


def podmans() -> dict[str, Any]:
    rules = [
        {key: value for key, value in rule.items() if key in ("names", "action", "args") and value}
        | ({"errnoRet": rule["errnoRet"]} if rule.get("errnoRet") is not None else {})
        for rule in json.loads(PODMANS.read_text())["syscalls"]
        if not rule.get("includes") and not (rule.get("excludes") or {}).get("arches")
    ]
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 38,
        "architectures": list(ABIS),
        "syscalls": rules,
    }


def profiles() -> Iterator[Any]:
    yield pytest.param(default_profile(DEFAULT, architecture="amd64"), id="default")
    yield pytest.param(default_profile((), architecture="amd64"), id="no capabilities")
    yield pytest.param(default_profile(KNOWN, architecture="amd64"), id="all capabilities")
    if PODMANS.exists():
        yield pytest.param(podmans(), id="podman")


# libseccomp takes a rule for socket or socketpair as one for socketcall too, but cannot see the
# family there: what the default profile denies, its filter allows
HIDDEN_SOCKETS = (1, 8)

INTERESTING = (0, 1, 2, 8, 16, 17, 38, 40, 45, 46, 0x20000, 0x10000000, 0x7E020000, 0xFFFFFFFF)


@pytest.mark.parametrize("profile", profiles())
def test_every_call_has_the_same_answer(profile: dict[str, Any], tmp_path: Path) -> None:
    ours = compile_profile(parse_profile(profile, NATIVE), NUMBERS)
    other = theirs(profile, tmp_path)
    chance = random.Random(7)
    differing: list[str] = []
    default = actions.action_number(profile["defaultAction"], profile["defaultErrnoRet"], "")
    resolve = ctypes.CDLL(_path).seccomp_syscall_resolve_name
    known = [name for name in NAMES if resolve(name.encode()) != -1]
    assert len(known) > 400
    named = tuple(name for rule in profile["syscalls"] for name in rule["names"])
    highest = {abi: max(NUMBERS.of(abi, named)) & 0x3FFFFFFF for abi in ABIS}
    for abi in ABIS:
        # libseccomp compares 32 bits for x32, although its arguments have 64
        top = 0xFFFFFFFFFFFFFFFF if abi == NATIVE else 0xFFFFFFFF
        for name in known:
            for number in NUMBERS.of(abi, (name,)):
                words = [*INTERESTING, *(value | 1 << 32 for value in INTERESTING)]
                for first in words:
                    rest = (chance.randrange(1 << 64) & top for _ in range(5))
                    arguments = (first & top, *rest)
                    found = machine.run(ours, AUDIT[abi], number, arguments)
                    expected = machine.run(other, AUDIT[abi], number, arguments)
                    # the calls that are newer than the profile (compile.py, rule 3)
                    newer = number & 0x3FFFFFFF > highest[abi]
                    if newer and (found, expected) == (actions.NO_SUCH_CALL, default):
                        continue
                    if name == "socketcall" and arguments[0] & 0xFFFFFFFF in HIDDEN_SOCKETS:
                        continue
                    if found != expected:
                        differing.append(f"{abi} {name} {first:#x}: {found:#x}, {expected:#x}")
    assert differing == []
