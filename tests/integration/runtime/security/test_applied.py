"""Filters, capabilities and limits in a forked child of this very process, asked of the kernel."""

from __future__ import annotations

import errno
import mmap
import os
import platform
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import NotSupported
from runtime.linux import process
from runtime.linux.libc import syscall
from runtime.security import apparmor, capabilities, label, rlimits, selinux
from runtime.security.seccomp.load import install, prepare

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
]


def child(work: Callable[[], str]) -> tuple[str, int]:
    """What `work` gave in a forked child, and the child's exit code (negative: the signal)."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writer, work().encode())
            os._exit(0)
        except BaseException as error:
            os.write(writer, repr(error).encode())
            os._exit(99)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as file:
        text = file.read()
    return text, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def profile(*rules: dict[str, object], default: str = "SCMP_ACT_ALLOW") -> dict[str, Any]:
    return {
        "defaultAction": default,
        "architectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": list(rules),
    }


def outcome(number: int, *arguments: int) -> str:
    try:
        syscall(number, *arguments)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "done"


SOCKETS = profile(
    {
        "names": ["socket"],
        "action": "SCMP_ACT_ERRNO",
        "errnoRet": errno.EACCES,
        "args": [
            {"index": 0, "op": "SCMP_CMP_MASKED_EQ", "value": 0xFFFFFFFF, "valueTwo": 40},
        ],
    },
    {"names": ["mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.EXDEV},
    {"names": ["sync"], "action": "SCMP_ACT_KILL_PROCESS"},
)


def test_the_kernel_takes_the_filter_and_obeys() -> None:
    loaded = prepare(SOCKETS)
    machine_calls = {"x86_64": (41, 258), "aarch64": (198, 34)}.get(platform.machine())
    if machine_calls is None:
        pytest.skip("no numbers for this machine")
    socket_call, mkdirat = machine_calls

    def work() -> str:
        install(loaded)
        return " ".join(
            (
                outcome(socket_call, 40, 1, 0),
                outcome(socket_call, (1 << 32) + 40, 1, 0),
                outcome(socket_call, socket.AF_UNIX, 1, 0),
                outcome(mkdirat, -1, 0, 0),
            )
        )

    assert child(work) == ("EACCES EACCES done EXDEV", 0)


def test_a_killing_answer_kills() -> None:
    loaded = prepare(SOCKETS)

    def work() -> str:
        install(loaded)
        os.sync()
        return "still here"

    assert child(work) == ("", -signal.SIGSYS)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="needs int 0x80")
def test_the_32_bit_way_in_has_its_own_numbers() -> None:
    """int 0x80 with i386's number of mkdirat (296), from a few bytes of machine code."""
    loaded = prepare(SOCKETS)
    # mov eax, 296; xor ebx..edx; int 0x80; ret
    code = bytes.fromhex("53 b8 28010000 31db 31c9 31d2 cd80 5b c3".replace(" ", ""))

    def work() -> str:
        import ctypes

        page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(code)
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        call = ctypes.CFUNCTYPE(ctypes.c_int)(address)
        install(loaded)
        return str(call())

    text, code_of_exit = child(work)
    if code_of_exit == -signal.SIGSEGV:
        pytest.skip("this kernel has no 32-bit system calls")
    assert (text, code_of_exit) == (str(-errno.EXDEV), 0)


def test_the_cache_gives_the_same_program_and_survives_damage(tmp_path: Path) -> None:
    fresh = prepare(SOCKETS).program
    assert prepare(SOCKETS, str(tmp_path)).program == fresh
    [stored] = tmp_path.iterdir()
    assert prepare(SOCKETS, str(tmp_path)).program == fresh
    content = stored.read_bytes()
    for damaged in (b"", content[:-1], content[:20], b"x" + content[1:], content + b"12345678"):
        stored.write_bytes(damaged)
        assert prepare(SOCKETS, str(tmp_path)).program == fresh
    assert prepare(SOCKETS, str(tmp_path / "missing")).program == fresh
    assert prepare(profile(), str(tmp_path)).program != fresh


def sets_of(status: str) -> dict[str, int]:
    lines = (line.split() for line in status.splitlines() if line.startswith("Cap"))
    return {words[0][3:6]: int(words[1], 16) for words in lines}


def test_the_five_sets_are_what_was_asked_for() -> None:
    names = ["CAP_CHOWN", "CAP_NET_BIND_SERVICE", "CAP_KILL"]
    asked = {
        "bounding": names,
        "effective": names[:2],
        "permitted": names,
        "inheritable": ["CAP_KILL"],
        "ambient": ["CAP_KILL"],
    }

    def work() -> str:
        sets, warnings = capabilities.resolve(asked)
        assert warnings == []
        capabilities.apply_bounding(sets)
        process.set_keep_capabilities(True)
        os.setresgid(1000, 1000, 1000)
        os.setresuid(1000, 1000, 1000)
        capabilities.apply(sets)
        return Path("/proc/self/status").read_text()

    text, code = child(work)
    assert code == 0
    chown, bind, kill = (1 << capabilities.NUMBERS[name] for name in names)
    assert sets_of(text) == {
        "Bnd": chown | bind | kill,
        "Prm": chown | bind | kill,
        "Eff": chown | bind,
        "Inh": kill,
        "Amb": kill,
    }


@pytest.mark.parametrize("asked", [None, {}])
def test_nothing_asked_leaves_nothing(asked: dict[str, Any] | None) -> None:
    def work() -> str:
        sets, _ = capabilities.resolve(asked)
        capabilities.apply_bounding(sets)
        capabilities.apply(sets)
        return Path("/proc/self/status").read_text()

    text, code = child(work)
    assert code == 0
    assert set(sets_of(text).values()) == {0}


def test_names_that_cannot_be_granted_are_told() -> None:
    def work() -> str:
        held = 1 << capabilities.NUMBERS["CAP_CHOWN"]
        process.capset(held, held, 0)
        asked = {key: ["CAP_CHOWN", "CAP_SYS_TIME", "CAP_FLY"] for key in ("bounding", "permitted")}
        return "\n".join(capabilities.resolve(asked)[1])

    text, code = child(work)
    assert code == 0
    refused = "CAP_SYS_TIME cannot be granted: the runtime does not have it"
    assert text.splitlines() == [
        "process.capabilities.bounding: CAP_FLY is not known",
        "process.capabilities.permitted: CAP_FLY is not known",
        f"process.capabilities.bounding: {refused}",
        f"process.capabilities.permitted: {refused}",
    ]


def test_limits_are_set_and_capped_where_they_cannot_be_raised() -> None:
    asked = [
        {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
        {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 1 << 40},
    ]

    def work() -> str:
        import resource

        process.capset(0, 0, 0)
        before = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        [warning] = rlimits.apply(rlimits.resolve(asked))
        assert warning.startswith("process.rlimits: RLIMIT_NOFILE: ")
        assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
        return str(resource.getrlimit(resource.RLIMIT_NOFILE) == (100, before))

    assert child(work) == ("True", 0)


def test_a_label_that_cannot_be_had_is_an_error() -> None:
    if not apparmor.is_enabled():
        with pytest.raises(NotSupported, match="AppArmor is not enabled"):
            apparmor.open_exec("some-profile")
    if not selinux.is_enabled():
        with pytest.raises(NotSupported, match="SELinux is not enabled"):
            selinux.open_exec("a:b:c:s0")
    os.close(label.open_label("attr/exec", "label"))
