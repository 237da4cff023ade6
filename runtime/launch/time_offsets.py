"""The clocks of a new time namespace, set while nobody is in it (time_namespaces(7)).

The file is opened before a user namespace is entered: the kernel asks whether who opened it had
CAP_SYS_TIME over the namespace, and inside nobody may open files of a process that hides itself.
"""

from __future__ import annotations

import os

from runtime.errors import step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.spec.model import TimeOffset


def open_offsets(offsets: tuple[TimeOffset, ...]) -> int:
    """-1 when there are none."""
    if not offsets:
        return -1
    with step("linux.timeOffsets: open /proc/self/timens_offsets"):
        return os.open("/proc/self/timens_offsets", os.O_WRONLY | os.O_CLOEXEC)


def write_offsets(fd: int, offsets: tuple[TimeOffset, ...]) -> None:
    """After unshare and before the first fork; ERANGE for a clock that would be negative."""
    if fd < 0:
        return
    with step("linux.timeOffsets"):
        os.write(fd, offsets_text(offsets))
        os.close(fd)


def offsets_text(offsets: tuple[TimeOffset, ...]) -> bytes:
    lines = (f"{one.clock} {one.secs} {one.nanosecs}\n" for one in offsets)
    return "".join(lines).encode("ascii")
