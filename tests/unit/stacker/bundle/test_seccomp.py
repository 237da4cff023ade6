"""The default profile, compiled by our own runtime and asked on a simulated machine."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.security.seccomp import actions
from runtime.security.seccomp.compile import compile_profile
from runtime.security.seccomp.numbers import AUDIT, read_numbers
from runtime.security.seccomp.profile import parse_profile
from stacker.bundle.capabilities import DEFAULT, KNOWN
from stacker.bundle.seccomp import blocks, build_seccomp, default_profile
from tests.unit.runtime.security.seccomp import machine

from .worlds import FACTS, INPUTS, service

NUMBERS = read_numbers()
ABIS = ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32")
PODMANS = Path("/usr/share/containers/seccomp.json")
EPERM, ENOSYS = actions.ERRNO | 1, actions.NO_SUCH_CALL


class Filter:
    def __init__(self, *capabilities: str, architecture: str = "amd64", **more: bool) -> None:
        profile: dict[str, Any] = default_profile(capabilities, architecture=architecture, **more)
        native = profile["architectures"][0]
        self.program = compile_profile(parse_profile(profile, native), NUMBERS)

    def ask(self, name: str, *arguments: int, abi: str = ABIS[0]) -> int:
        [number] = NUMBERS.of(abi, (name,))
        return machine.run(self.program, AUDIT[abi], number, (*arguments, 0, 0, 0, 0, 0, 0)[:6])


PLAIN = Filter(*DEFAULT)


@pytest.mark.parametrize("abi", ABIS)
@pytest.mark.parametrize("family", [socket.AF_ALG, socket.AF_VSOCK, 12, 46, 1 << 20])
@pytest.mark.parametrize("high", [0, 1 << 32, 0xFFFFFFFF << 32])
def test_dangerous_families_are_denied_by_every_way_in(abi: str, family: int, high: int) -> None:
    wide = family if abi == "SCMP_ARCH_X86" else family | high
    assert PLAIN.ask("socket", wide, 3, 0, abi=abi) == EPERM


@pytest.mark.parametrize("abi", ABIS)
@pytest.mark.parametrize("high", [0, 1 << 32])
def test_ordinary_families_are_allowed(abi: str, high: int) -> None:
    for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, 17, 29, 45):
        wide = family if abi == "SCMP_ARCH_X86" else family | high
        assert PLAIN.ask("socket", wide, 1, 0, abi=abi) == actions.ALLOW


def test_socketcall_hides_the_family_so_it_may_not_make_sockets() -> None:
    abi = "SCMP_ARCH_X86"
    assert PLAIN.ask("socketcall", 1, abi=abi) == EPERM
    assert PLAIN.ask("socketcall", 8, abi=abi) == EPERM
    for number in (*range(2, 8), *range(9, 21)):
        assert PLAIN.ask("socketcall", number, abi=abi) == actions.ALLOW
    held_back = Filter(*DEFAULT, families_held_back=True)
    assert held_back.ask("socketcall", 1, abi=abi) == actions.ALLOW


def test_namespaces_are_not_made() -> None:
    assert PLAIN.ask("clone", 0x01200011) == actions.ALLOW  # what fork is
    assert PLAIN.ask("clone", 0x003D0F00) == actions.ALLOW  # what pthread_create is
    for flag in (0x10000000, 0x20000, 0x40000000, 0x02000000, 0x20000000):
        assert PLAIN.ask("clone", flag | 17) == EPERM
    assert PLAIN.ask("clone3") == ENOSYS
    for name in ("unshare", "setns", "mount", "umount2", "bpf", "open_tree", "pivot_root"):
        assert PLAIN.ask(name) == EPERM
    for name in ("keyctl", "add_key", "io_uring_setup", "userfaultfd", "kexec_load", "swapon"):
        assert PLAIN.ask(name) == EPERM


def test_capabilities_open_their_calls() -> None:
    admin = Filter(*DEFAULT, "CAP_SYS_ADMIN")
    for name in ("unshare", "setns", "mount", "clone3", "bpf", "fsopen"):
        assert admin.ask(name) == actions.ALLOW
    assert admin.ask("clone", 0x10000000) == actions.ALLOW
    assert admin.ask("init_module") == EPERM
    assert Filter(*KNOWN).ask("init_module") == actions.ALLOW
    assert Filter("CAP_SYS_TIME").ask("clock_settime") == actions.ALLOW
    assert PLAIN.ask("chroot") == actions.ALLOW
    assert Filter().ask("chroot") == EPERM


def test_personalities_that_change_nothing_dangerous() -> None:
    for value in (0, 8, 0x20000, 0x20008, 0xFFFFFFFF):
        assert PLAIN.ask("personality", value) == actions.ALLOW
    assert PLAIN.ask("personality", 0x0400000) == EPERM  # READ_IMPLIES_EXEC


@pytest.mark.parametrize("architecture", ["amd64", "arm64", "riscv64"])
def test_every_architecture_has_its_profile(architecture: str) -> None:
    found = Filter(*DEFAULT, architecture=architecture)
    abi = {"amd64": ABIS[0], "arm64": "SCMP_ARCH_AARCH64", "riscv64": "SCMP_ARCH_RISCV64"}
    for name in ("read", "openat", "execve", "futex", "rseq", "close_range", "faccessat2"):
        assert found.ask(name, abi=abi[architecture]) == actions.ALLOW


def test_32_bit_programs_run_on_arm64() -> None:
    found, abi = Filter(*DEFAULT, architecture="arm64"), "SCMP_ARCH_ARM"
    for name in ("read", "mmap2", "set_tls", "cacheflush", "clock_gettime64", "recv"):
        assert found.ask(name, abi=abi) == actions.ALLOW
    assert found.ask("socket", socket.AF_INET, abi=abi) == actions.ALLOW
    assert found.ask("socket", socket.AF_ALG, abi=abi) == EPERM
    assert found.ask("mount", abi=abi) == EPERM
    assert found.ask("listns", abi=abi) == ENOSYS


def test_no_filter_where_none_is_wanted_or_possible() -> None:
    assert build_seccomp(service(), FACTS, INPUTS) is not None
    assert build_seccomp(service(privileged=True), FACTS, INPUTS) is None
    assert build_seccomp(service(security_opt={"seccomp": "unconfined"}), FACTS, INPUTS) is None
    assert build_seccomp(service(), replace(FACTS, seccomp=False), INPUTS) is None
    own = replace(INPUTS, seccomp_profile={"defaultAction": "SCMP_ACT_LOG"})
    assert build_seccomp(service(), FACTS, own) == {"defaultAction": "SCMP_ACT_LOG"}


@given(st.sets(st.integers(0, 200)))
def test_blocks_match_these_numbers_and_no_others(numbers: set[int]) -> None:
    found = blocks(numbers)
    assert {n for n in range(300) if any(n & mask == value for mask, value in found)} == numbers


@pytest.mark.skipif(not PODMANS.exists(), reason="podman's profile is not installed")
def test_what_podman_allows_and_we_do_not() -> None:
    """The difference to podman's profile, name by name: nothing may slip in or out unseen."""
    theirs: set[str] = set()
    for rule in json.loads(PODMANS.read_text())["syscalls"]:
        limited = rule.get("includes") or rule.get("args")
        if rule["action"] == "SCMP_ACT_ALLOW" and not limited:
            theirs |= set(rule["names"])
    profile: dict[str, Any] = default_profile(DEFAULT, architecture="amd64")
    ours = {
        name
        for rule in profile["syscalls"]
        if rule["action"] == "SCMP_ACT_ALLOW"
        for name in rule["names"]
    }
    known = {name for name in theirs - ours if NUMBERS.of(ABIS[0], (name,))}
    assert known == {
        "clone3",
        "fsconfig",
        "fsmount",
        "fsopen",
        "fspick",
        "get_mempolicy",
        "keyctl",
        "mbind",
        "mount",
        "mount_setattr",
        "move_mount",
        "open_tree",
        "pidfd_getfd",
        "pivot_root",
        "reboot",
        "set_mempolicy",
        "setns",
        "syslog",
        "umount2",
        "unshare",
    }
