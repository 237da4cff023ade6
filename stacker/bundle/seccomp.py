"""`linux.seccomp` of config.json: the default profile of `seccomp_default.json`, or what is asked.

The table is an allow-list, in Docker's extent; what depends on a capability is resolved here.
Where it is tighter, it is so on purpose:

- socket(2) is allowed by family and in masked comparisons: the kernel cuts the family to an int,
  so a comparison of 64 bits is passed with a high bit set. AF_ALG and AF_VSOCK are not among the
  families (CVE-2026-31431).
- The 32-bit socketcall(2) hides the family in memory, where no filter sees it. Its socket() is
  denied unless our AppArmor profile holds the families back: 32-bit programs with an old C
  library then need `seccomp:unconfined` for a network.
- clone(2) may make no namespace, clone3(2), whose flags are in memory, does not exist (C libraries
  fall back on clone).

The table is read when this module is imported: it is part of the program, not input.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib import resources
from typing import TypedDict, cast

from stacker.base.facts import HostFacts
from stacker.bundle import capabilities, labels
from stacker.bundle.inputs import ContainerInputs
from stacker.stack.model.service import Service


class _Table(TypedDict):
    allow: list[str]
    allow_on: dict[str, list[str]]
    allow_with: dict[str, list[str]]
    personalities: list[int]
    socket_families: list[int]
    socketcalls: list[int]


_TABLE = cast(
    "_Table",
    json.loads(resources.files("stacker.bundle").joinpath("seccomp_default.json").read_bytes()),
)

_ARCHITECTURES = {
    "amd64": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    "arm64": ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
    "riscv64": ["SCMP_ARCH_RISCV64"],
}

_ALLOW = "SCMP_ACT_ALLOW"
_ERRNO = "SCMP_ACT_ERRNO"
_EPERM = 1
_ENOSYS = 38
_INT = 0xFFFFFFFF

# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET (clone(2))
_NAMESPACE_FLAGS = 0x7E020000

_MAKES_NAMESPACES = "CAP_SYS_ADMIN"


def build_seccomp(
    service: Service, facts: HostFacts, inputs: ContainerInputs
) -> dict[str, object] | None:
    """None: no filter. Without a table for the host's architecture there is none either."""
    if service.privileged or service.security_opt.seccomp == labels.UNCONFINED:
        return None
    if not facts.seccomp or facts.architecture not in _ARCHITECTURES:
        return None
    if inputs.seccomp_profile is not None:
        return dict(inputs.seccomp_profile)
    return default_profile(
        capabilities.granted(service, available=facts.capabilities),
        architecture=facts.architecture,
        families_held_back=labels.is_apparmor_confined(service, facts, inputs),
    )


def default_profile(
    granted: Iterable[str], *, architecture: str, families_held_back: bool = False
) -> dict[str, object]:
    held = frozenset(granted)
    names = set(_TABLE["allow"]) | set(_TABLE["allow_on"].get(architecture, []))
    for capability, more in _TABLE["allow_with"].items():
        if capability in held:
            names |= set(more)
    if families_held_back:
        names.add("socketcall")
    rules = [{"names": sorted(names), "action": _ALLOW}]
    rules += [_allow("socket", 0, mask, value) for mask, value in blocks(_TABLE["socket_families"])]
    if not families_held_back:
        numbers = blocks(_TABLE["socketcalls"])
        rules += [_allow("socketcall", 0, mask, value) for mask, value in numbers]
    rules += [_allow("personality", 0, _INT, value) for value in _TABLE["personalities"]]
    if _MAKES_NAMESPACES not in held:
        rules.append(_allow("clone", 0, _NAMESPACE_FLAGS, 0))
        rules.append({"names": ["clone3"], "action": _ERRNO, "errnoRet": _ENOSYS})
    return {
        "defaultAction": _ERRNO,
        "defaultErrnoRet": _EPERM,
        "architectures": _ARCHITECTURES[architecture],
        "syscalls": rules,
    }


def blocks(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Masks and values that together match these ints and no others: aligned powers of two."""
    left = sorted(set(numbers))
    wanted = frozenset(left)
    found: list[tuple[int, int]] = []
    while left:
        first, size = left[0], 1
        while first % (size * 2) == 0 and all(
            number in wanted for number in range(first, first + size * 2)
        ):
            size *= 2
        found.append((_INT & ~(size - 1), first))
        left = [number for number in left if number >= first + size]
    return found


def _allow(name: str, index: int, mask: int, value: int) -> dict[str, object]:
    condition = {"index": index, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"}
    return {"names": [name], "action": _ALLOW, "args": [condition]}
