"""What a process says about itself, and what a pidfd says about another.

capget and capset use version 3 of the interface (two 32-bit words a set, capget(2)).
"""

from __future__ import annotations

import ctypes
import fcntl
import struct

from runtime.linux.constants import SYS_KEYCTL, SYS_PIDFD_GETFD
from runtime.linux.libc import function, path_bytes, syscall
from runtime.linux.signals import signal

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_NAME = 15
PR_CAPBSET_READ = 23
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_GET_NO_NEW_PRIVS = 39
PR_GET_TID_ADDRESS = 40
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
PR_CAP_AMBIENT_CLEAR_ALL = 4

_KEYCTL_JOIN_SESSION_KEYRING = 1
_CAPABILITY_VERSION_3 = 0x20080522

_PIDFD_GET_INFO = 0xC040FF0B  # _IOWR(0xFF, 11, 64 bytes), Linux 6.13
_PIDFD_INFO_EXIT = 1 << 3  # Linux 6.15
_PIDFD_INFO = struct.Struct("=QQIII8Ii")

_word = ctypes.c_ulong
_prctl = function("prctl", ctypes.c_int, _word, _word, _word, _word)
_capget = function("capget", ctypes.c_char_p, ctypes.c_char_p)
_capset = function("capset", ctypes.c_char_p, ctypes.c_char_p)
_strings = ctypes.POINTER(ctypes.c_char_p)
_execve = function("execve", ctypes.c_char_p, _strings, _strings)
_personality = function("personality", _word)
_sethostname = function("sethostname", ctypes.c_char_p, ctypes.c_size_t)
_setdomainname = function("setdomainname", ctypes.c_char_p, ctypes.c_size_t)


def prctl(option: int, second: int = 0, third: int = 0, fourth: int = 0, fifth: int = 0) -> int:
    return _prctl(option, second, third, fourth, fifth)


def set_dumpable(dumpable: bool) -> None:
    """Off: /proc/<pid>/{exe,fd,mem} are closed to all who have no CAP_SYS_PTRACE over us."""
    _prctl(PR_SET_DUMPABLE, int(dumpable), 0, 0, 0)


def set_child_subreaper(on: bool) -> None:
    _prctl(PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0)


def set_no_new_privileges() -> None:
    _prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def set_parent_death_signal(number: int) -> None:
    _prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)


def set_keep_capabilities(on: bool) -> None:
    _prctl(PR_SET_KEEPCAPS, int(on), 0, 0, 0)


def set_name(name: str) -> None:
    """The name ps shows (15 bytes at most)."""
    buffer = ctypes.create_string_buffer(name.encode("utf-8", "replace")[:15])
    _prctl(PR_SET_NAME, ctypes.addressof(buffer), 0, 0, 0)


def thread_id_address() -> int:
    """Where the kernel clears the id of the calling thread when it ends; 0 if it does not say."""
    address = ctypes.c_uint64(0)
    try:
        _prctl(PR_GET_TID_ADDRESS, ctypes.addressof(address), 0, 0, 0)
    except OSError:
        # a kernel without CONFIG_CHECKPOINT_RESTORE
        return 0
    return address.value


def capget() -> tuple[int, int, int]:
    """(effective, permitted, inheritable) of the calling thread, as bit masks."""
    data = ctypes.create_string_buffer(24)
    _capget(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), data)
    low_e, low_p, low_i, high_e, high_p, high_i = struct.unpack("=6I", data.raw)
    return low_e | high_e << 32, low_p | high_p << 32, low_i | high_i << 32


def capset(effective: int, permitted: int, inheritable: int) -> None:
    low, sets = 0xFFFFFFFF, (effective, permitted, inheritable)
    data = struct.pack("=6I", *(value & low for value in sets), *(value >> 32 for value in sets))
    _capset(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), data)


def execve(path: str, arguments: tuple[str, ...], environment: tuple[str, ...]) -> None:
    """With the environment as execve(2) takes it: strings in an order, of any form."""
    _execve(path_bytes(path), _vector(arguments), _vector(environment))


def _vector(texts: tuple[str, ...]) -> ctypes.Array[ctypes.c_char_p]:
    return (ctypes.c_char_p * (len(texts) + 1))(*(path_bytes(text) for text in texts), None)


def personality(domain: int) -> int:
    return _personality(domain)


def set_hostname(name: bytes) -> None:
    _sethostname(name, len(name))


def set_domainname(name: bytes) -> None:
    _setdomainname(name, len(name))


def join_session_keyring(name: str | None) -> int:
    """A new session keyring: the container must not see the one of whoever started us."""
    encoded = None if name is None else name.encode("utf-8", "replace")
    return syscall(SYS_KEYCTL, _KEYCTL_JOIN_SESSION_KEYRING, encoded)


def restore_signals() -> None:
    """All dispositions as a new program expects them, nothing blocked.

    Python ignores SIGPIPE and SIGXFSZ, and what is ignored stays so across execve (signal(7)).
    """
    for number in signal.valid_signals():
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def take_descriptor(pidfd: int, number: int) -> int:
    """A copy of another process's descriptor (pidfd_getfd(2), Linux 5.6); EBADF if it has none."""
    return syscall(SYS_PIDFD_GETFD, pidfd, number, 0)


def pidfd_exit_status(pidfd: int) -> int | None:
    """The wait status of an ended process, child or not; None where the kernel cannot say yet.

    Exact even after the process was reaped by somebody else (Linux 6.15, linux/pidfd.h).
    """
    request = bytearray(_PIDFD_INFO.size)
    _PIDFD_INFO.pack_into(request, 0, _PIDFD_INFO_EXIT, 0, 0, 0, 0, *([0] * 8), 0)
    fcntl.ioctl(pidfd, _PIDFD_GET_INFO, request, True)
    fields = _PIDFD_INFO.unpack(request)
    return fields[-1] if fields[0] & _PIDFD_INFO_EXIT else None
