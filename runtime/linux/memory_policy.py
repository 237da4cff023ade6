"""From which NUMA nodes the calling thread's memory comes (set_mempolicy(2)); execve keeps it."""

from __future__ import annotations

from runtime.linux.constants import MACHINE
from runtime.linux.libc import syscall

# from asm/unistd_64.h and asm-generic/unistd.h
_SYS_SET_MEMPOLICY = {"x86_64": 238, "ppc64le": 261, "s390x": 270}.get(MACHINE, 237)
_WORD = 64


def set_memory_policy(mode: int, nodes: tuple[int, ...]) -> None:
    """`mode` with its flags; without nodes the kernel gets no mask at all."""
    if not nodes:
        syscall(_SYS_SET_MEMPOLICY, mode, None, 0)
        return
    words = max(nodes) // _WORD + 1
    mask = sum(1 << node for node in set(nodes)).to_bytes(words * _WORD // 8, "little")
    # the kernel takes one bit less than it is told of (mm/mempolicy.c: get_nodes)
    syscall(_SYS_SET_MEMPOLICY, mode, mask, words * _WORD + 1)
