"""The standard streams that a container is given, made its user's own."""

from __future__ import annotations

import os
import stat

_STREAMS = (0, 1, 2)


def give_streams(uid: int) -> None:
    """So that the container's user can open /dev/stdout, whoever made the pipe."""
    for fd in _STREAMS:
        try:
            status = os.fstat(fd)
            if stat.S_ISFIFO(status.st_mode) or stat.S_ISSOCK(status.st_mode):
                os.fchown(fd, uid, -1)
        except OSError:
            # closed, or not ours to give
            continue


def give_streams_into(pid: int, uid: int) -> None:
    """From outside of its user namespace, in which nobody has a right to what the host's root made.

    `pid` is a process in it, and `uid` what a user is called there.
    """
    with open(f"/proc/{pid}/uid_map", encoding="ascii") as file:
        lines = [tuple(map(int, line.split())) for line in file]
    for inside, outside, count in lines:
        if inside <= uid < inside + count:
            give_streams(outside + uid - inside)
