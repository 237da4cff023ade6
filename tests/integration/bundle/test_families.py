"""R18: sockets of dangerous families, asked for by raw system calls of all three ABIs of x86_64.

AF_ALG gave every container a write into the page cache (CVE-2026-31431); both families are denied
by the default profile whatever way the call comes in, and with bits set that the kernel cuts off.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import platform
import signal
from collections.abc import Callable

import pytest

from runtime.security.seccomp.load import install, prepare
from stacker.bundle.capabilities import DEFAULT
from stacker.bundle.seccomp import default_profile

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="three ABIs only there"),
]

AF_UNIX, AF_ALG, AF_VSOCK = 1, 38, 40
SOCK_STREAM = 1
SOCKET, SOCKET_32, SOCKETCALL = 41, 359, 102
SYS_SOCKET = 1  # the first operation of socketcall
X32_BIT = 0x40000000

# f(number, a, b, c): push rbx; mov eax, edi; mov ebx, esi; xchg ecx, edx; int 0x80; pop rbx; ret
INT_80 = bytes.fromhex("5389f889f387d1cd805bc3")


def answers(work: Callable[[], list[int]]) -> list[int] | int:
    """What `work` gave in a child under the default profile; the signal that ended it instead."""
    loaded = prepare(default_profile(DEFAULT, architecture="amd64"))
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(os.open("/dev/null", os.O_WRONLY), 2)
            install(loaded)
            os.write(writer, ",".join(str(number) for number in work()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        text = file.read()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code if code else [int(number) for number in text.split(",")]


def native(number: int, *arguments: int) -> int:
    """Minus errno, or 0 for success."""
    call = ctypes.CDLL(None, use_errno=True).syscall
    result = call(ctypes.c_long(number), *(ctypes.c_ulong(argument) for argument in arguments))
    return 0 if result >= 0 else -ctypes.get_errno()


def interrupt(number: int, *arguments: int) -> int:
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(INT_80)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    call = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_uint] * 4)(address)
    return min(0, call(number, *arguments))


@pytest.mark.parametrize("high", [0, 1 << 32, 0xFFFFFFFF << 32])
def test_64_bit_calls(high: int) -> None:
    """R18: the kernel cuts the family to an int, so the filter must as well."""
    assert answers(
        lambda: [
            native(SOCKET, family | high, SOCK_STREAM, 0) for family in (AF_ALG, AF_VSOCK, AF_UNIX)
        ]
    ) == [-errno.EPERM, -errno.EPERM, 0]


@pytest.mark.parametrize("high", [0, 1 << 32, 0xFFFFFFFF << 32])
def test_x32_calls(high: int) -> None:
    """R18: x32 is an architecture of its own to the filter, whether this kernel has it or not."""
    found = answers(
        lambda: [
            native(X32_BIT | SOCKET, family | high, SOCK_STREAM, 0) for family in (AF_ALG, AF_VSOCK)
        ]
    )
    assert found == [-errno.EPERM, -errno.EPERM]


def test_32_bit_calls() -> None:
    """R18: socket(2) of i386, and socketcall(2), which hides the family in memory."""

    def work() -> list[int]:
        memory = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40)  # 32BIT
        pointer = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        hidden: list[int] = []
        for family in (AF_ALG, AF_VSOCK):
            memory.seek(0)
            memory.write(b"".join(n.to_bytes(4, "little") for n in (family, SOCK_STREAM, 0)))
            hidden.append(interrupt(SOCKETCALL, SYS_SOCKET, pointer, 0))
        return [
            *(interrupt(SOCKET_32, family, SOCK_STREAM, 0) for family in (AF_ALG, AF_VSOCK)),
            *hidden,
            interrupt(SOCKET_32, AF_UNIX, SOCK_STREAM, 0),
        ]

    found = answers(work)
    if found == -signal.SIGSEGV:
        pytest.skip("this kernel has no 32-bit system calls")
    assert found == [-errno.EPERM] * 4 + [0]
