"""New namespaces, held by a process that does nothing, until somebody else has them.

The process is made by clone(2) with a function of the C library to call, sleep(3), and a stack of
its own. It never comes back to Python, so it can be made in a process with threads, whose locks a
fork would copy in any state; and should we be killed, it ends by itself.
"""

from __future__ import annotations

import ctypes
import os

from runtime.linux.libc import address, function
from runtime.linux.namespaces import CLONE_NEWUSER
from runtime.linux.signals import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import TypeAlias

    Mapping: TypeAlias = tuple[int, int, int]
    """The first id inside, the first outside, and how many (user_namespaces(7))."""

_STACK_BYTES = 64 * 1024
_STACK_ALIGNMENT = 16
_LONGEST_S = 10
_SLEEP = address("sleep")
_clone = function("clone", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


class HeldNamespaces:
    """``with HeldNamespaces(CLONE_NEWUSER) as pid:`` they are below ``/proc/PID/ns``."""

    def __init__(self, flags: int) -> None:
        # of all that are made at once a user namespace is the first, and owns the others
        self._flags = flags
        self._pid = 0

    def __enter__(self) -> int:
        stack = ctypes.create_string_buffer(_STACK_BYTES)
        top = (ctypes.addressof(stack) + _STACK_BYTES) & -_STACK_ALIGNMENT
        # handlers of ours would run in the child as well, and wake our loop from there
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self._pid = _clone(_SLEEP, top, self._flags | signal.SIGCHLD, _LONGEST_S)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return self._pid

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


def write_mappings(pid: int, mappings: tuple[Mapping, ...]) -> None:
    """Map users and groups of a process's new user namespace alike, as root may."""
    text = "".join(f"{inside} {outside} {size}\n" for inside, outside, size in mappings)
    for file in ("uid_map", "gid_map"):
        # in one write, which is all that the kernel takes
        fd = os.open(f"/proc/{pid}/{file}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode("ascii"))
        finally:
            os.close(fd)


def user_namespace(mappings: tuple[Mapping, ...]) -> int:
    """A descriptor of a new user namespace in which nobody is, for an id-mapped mount."""
    with HeldNamespaces(CLONE_NEWUSER) as pid:
        write_mappings(pid, mappings)
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
