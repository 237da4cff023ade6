"""Flags that more than one system call takes, and system call numbers glibc 2.36 has no name for.

Numbers from 424 on are the same on every architecture (Linux 5.1); the older ones differ and are
looked up once, at import.
"""

from __future__ import annotations

import os

AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000

MACHINE = os.uname().machine

# (seccomp, bpf, keyctl) from asm/unistd_64.h and asm-generic/unistd.h
_OLD_NUMBERS = {
    "x86_64": (317, 321, 250),
    "aarch64": (277, 280, 219),
    "riscv64": (277, 280, 219),
    "ppc64le": (358, 361, 271),
    "s390x": (348, 351, 280),
}
SYS_SECCOMP, SYS_BPF, SYS_KEYCTL = _OLD_NUMBERS.get(MACHINE, (277, 280, 219))

SYS_OPEN_TREE = 428
SYS_MOVE_MOUNT = 429
SYS_FSOPEN = 430
SYS_FSCONFIG = 431
SYS_FSMOUNT = 432
SYS_FSPICK = 433
SYS_CLOSE_RANGE = 436
SYS_OPENAT2 = 437
SYS_PIDFD_GETFD = 438
SYS_MOUNT_SETATTR = 442
