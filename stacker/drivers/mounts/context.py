"""A file system context, with the kernel's own words when it fails; and unmounting.

Called by `erofs`, `overlay` and `tree`. Raises OSError.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from runtime.linux import mount as linux

DESCRIPTORS = "/proc/self/fd"
_STRING_MAX = 255  # fsconfig(2) copies strings of at most this length
_LOG_MAX = 8192


class Context:
    """``with Context("overlay") as context: context.string(...); context.attach(target)``."""

    def __init__(self, filesystem: str) -> None:
        self._fd = linux.fsopen(filesystem)
        self._paths: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._fd)
        for fd in self._paths:
            os.close(fd)

    def flag(self, key: str) -> None:
        linux.fsconfig_flag(self._fd, key)

    def string(self, key: str, value: str) -> None:
        linux.fsconfig_string(self._fd, key, value)

    def path(self, key: str, path: str) -> None:
        """A path as a string; one that is too long goes through a descriptor's name."""
        if len(os.fsencode(path)) > _STRING_MAX:
            self._paths.append(os.open(path, os.O_PATH | os.O_CLOEXEC))
            path = f"{DESCRIPTORS}/{self._paths[-1]}"
        linux.fsconfig_string(self._fd, key, path)

    def attach(self, target: str, attributes: int) -> None:
        """Makes the file system and attaches it at `target`."""
        linux.fsconfig_create(self._fd)
        mounted = linux.fsmount(self._fd, attributes)
        try:
            linux.attach_at(mounted, target)
        finally:
            os.close(mounted)

    def said(self) -> str:
        """What the kernel logged about the failure, or nothing."""
        try:
            lines = os.read(self._fd, _LOG_MAX).decode(errors="replace").splitlines()
        except OSError:
            return ""
        # each message starts with its level: "e ", "w " or "i "
        return "; ".join(line[2:] for line in lines if line.startswith("e "))


def is_named(path: str) -> bool:
    """Whether the mount table says where a layer is: one that was a descriptor it does not."""
    return path.startswith("/") and not path.startswith(DESCRIPTORS)


def unmount(target: Path) -> None:
    """Unmounts what is on top at `target`; when somebody still looks at it, it goes lazily."""
    try:
        linux.umount2(os.fspath(target), linux.UMOUNT_NOFOLLOW)
    except OSError as error:
        if error.errno == errno.EBUSY:
            linux.umount2(os.fspath(target), linux.UMOUNT_NOFOLLOW | linux.MNT_DETACH)
        elif error.errno not in (errno.EINVAL, errno.ENOENT):  # not, or no longer, a mount
            raise
