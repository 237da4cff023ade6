"""Load a seccomp filter into the calling process (seccomp(2))."""

from __future__ import annotations

import ctypes

from runtime.linux.constants import SYS_SECCOMP
from runtime.linux.libc import syscall

_SET_MODE_FILTER = 1
_GET_ACTION_AVAILABLE = 2

SECCOMP_FILTER_FLAG_TSYNC = 1
SECCOMP_FILTER_FLAG_LOG = 2
SECCOMP_FILTER_FLAG_SPEC_ALLOW = 4
SECCOMP_FILTER_FLAG_NEW_LISTENER = 8
SECCOMP_FILTER_FLAG_TSYNC_ESRCH = 16  # Linux 5.7
SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 32

INSTRUCTION_SIZE = 8


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def load_filter(program: bytes, flags: int = 0) -> int:
    """Load classic BPF; the result is 0, or the listener's fd with FLAG_NEW_LISTENER."""
    described = _Program(len(program) // INSTRUCTION_SIZE, program)
    return syscall(SYS_SECCOMP, _SET_MODE_FILTER, flags, described)


def action_available(action: int) -> bool:
    try:
        syscall(SYS_SECCOMP, _GET_ACTION_AVAILABLE, 0, action.to_bytes(4, "little"))
    except OSError:
        return False
    return True
