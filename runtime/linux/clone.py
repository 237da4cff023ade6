"""fork, but into a version 2 cgroup: clone3 with CLONE_INTO_CGROUP (Linux 5.7).

To be born in a cgroup costs nothing; to be moved into one takes a lock that all forks of the host
share, and waits for a grace period of RCU (8 ms where measured). os.fork cannot do it, so the call
is made by number, between the hooks CPython has for whoever forks on its own (PyOS_BeforeFork).
The calling process must be single-threaded.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from runtime.linux.process import thread_id_address
from runtime.linux.signals import signal

_SYS_CLONE3 = 435
_CLONE_CHILD_CLEARTID = 0x00200000
_CLONE_CHILD_SETTID = 0x01000000
_CLONE_INTO_CGROUP = 0x200000000

# PyDLL: the interpreter's lock stays with the one thread there is, in the child as well
_python = ctypes.PyDLL(None, use_errno=True)
_syscall = _python.syscall
_syscall.restype = ctypes.c_long
_before = ctypes.pythonapi.PyOS_BeforeFork
_after_in_parent = ctypes.pythonapi.PyOS_AfterFork_Parent
_after_in_child = ctypes.pythonapi.PyOS_AfterFork_Child
for _hook in (_before, _after_in_parent, _after_in_child):
    _hook.restype = None
    _hook.argtypes = ()

_UNAVAILABLE = (errno.ENOSYS, errno.EINVAL, errno.E2BIG, errno.EOPNOTSUPP, errno.EBUSY)


def fork_into(cgroup: int | None) -> tuple[int, bool]:
    """Like os.fork; also whether the child is in `cgroup` (an fd of its directory) already."""
    if cgroup is None:
        return os.fork(), False
    # glibc keeps the thread's id where the kernel clears it at exit; a fork must renew it there
    address = thread_id_address()
    flags = _CLONE_INTO_CGROUP
    if address:
        flags |= _CLONE_CHILD_SETTID | _CLONE_CHILD_CLEARTID
    # struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls,
    # set_tid, set_tid_size, cgroup
    arguments = struct.pack("=11Q", flags, 0, address, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, cgroup)
    number, size = ctypes.c_long(_SYS_CLONE3), ctypes.c_size_t(len(arguments))
    _before()
    pid = _syscall(number, arguments, size)
    if pid == 0:
        _after_in_child()
        return 0, True
    _after_in_parent()
    if pid > 0:
        return pid, True
    failure = ctypes.get_errno()
    if failure in _UNAVAILABLE:
        return os.fork(), False
    raise OSError(failure, os.strerror(failure))
