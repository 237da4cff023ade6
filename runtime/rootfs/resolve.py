"""Paths inside the container to file descriptors, and mount points made on the way.

Races with a container that shares a volume (CVE-2021-30465, CVE-2024-45310) end here: what was
resolved is an O_PATH fd, and whatever is renamed afterwards no longer matters.
"""

from __future__ import annotations

import errno
import os
import stat

from runtime.errors import KernelFault, step
from runtime.linux.fds import (
    RESOLVE_IN_ROOT,
    RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_SYMLINKS,
    open_in_root,
    openat2,
)

_LINKS_FOLLOWED = 40  # as many as the kernel follows (path_resolution(7))
_NEW_FILE = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_WRONLY


def open_existing(root: int, path: str) -> int | None:
    """An O_PATH fd, or None when nothing is there; links are followed inside the root."""
    with step(f"resolve {path} in the root"):
        try:
            return open_in_root(root, path)
        except (FileNotFoundError, NotADirectoryError):
            # absent, or below something that is no directory, which comes to the same
            return None


def open_target(root: int, path: str, *, directory: bool) -> int:
    """The fd of a mount point, made (with its parents) when it is missing."""
    found = open_existing(root, path)
    if found is None:
        return _make(root, path, directory=directory)
    is_directory = stat.S_ISDIR(os.fstat(found).st_mode)
    if is_directory != directory:
        os.close(found)
        fault = (
            "it is not a directory, and one is to be mounted on it"
            if directory
            else "it is a directory, and a file is to be mounted on it"
        )
        raise KernelFault(f"mount point {path}", 0, fault)
    return found


def open_plain_directory(root: int, path: str) -> int:
    """A directory no component of which is a link: what devices are made in."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS
    with step(f"open {path} in the root"):
        return openat2(root, path, flags, resolve)


def open_parent(root: int, path: str) -> tuple[int, str]:
    """The directory a path is to be made in, itself made when missing, and the last name."""
    head, _, name = path.rstrip("/").rpartition("/")
    return open_target(root, head or "/", directory=True), name


def _make(root: int, path: str, *, directory: bool, links: int = 0) -> int:
    # what a link says may climb: by name, which the kernel then resolves inside the root
    path = os.path.normpath(path) if links else path
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise KernelFault(f"mount point {path}", 0, "does not exist and climbs with ..")
    current = os.dup(root)
    try:
        for index, part in enumerate(parts):
            prefix = "/".join(parts[: index + 1])
            found = open_existing(root, prefix)
            if found is None:
                destination = _dangling_link(current, part)
                if destination is not None:
                    os.close(current)
                    current = -1
                    # an image's /var/run may point to a /run that is still to be made; where it
                    # leads is a path inside the root like any other
                    return _make(
                        root,
                        os.path.join("/", *parts[:index], destination, *parts[index + 1 :]),
                        directory=directory,
                        links=_one_more(links, path),
                    )
                with step(f"make mount point {path}"):
                    last = index == len(parts) - 1
                    found = _make_one(current, part, directory=directory or not last)
            os.close(current)
            current = found
    except BaseException:
        if current >= 0:
            os.close(current)
        raise
    return current


def _dangling_link(directory: int, name: str) -> str | None:
    try:
        return os.readlink(name, dir_fd=directory)
    except OSError:
        return None


def _one_more(links: int, path: str) -> int:
    if links == _LINKS_FOLLOWED:
        raise KernelFault(f"mount point {path}", errno.ELOOP, "leads through too many links")
    return links + 1


def _make_one(parent: int, name: str, *, directory: bool) -> int:
    if directory:
        os.mkdir(name, 0o755, dir_fd=parent)
    else:
        os.close(os.open(name, _NEW_FILE, 0o644, dir_fd=parent))
    # a directory put in its place meanwhile is inside the root as well; a link is refused
    flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(name, flags | (os.O_DIRECTORY if directory else 0), dir_fd=parent)
