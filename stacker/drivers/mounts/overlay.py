"""Stacking lower directories under a writable one: overlayfs.

Called by `mounts`. On Linux 6.8 and later through fsconfig, a layer a call; before that through
mount(2), whose options must fit one page: paths that are too long for it, or that hold characters
which the option parser splits at, are given as descriptors.
"""

from __future__ import annotations

import enum
import errno
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from runtime.linux import mount as linux
from runtime.linux.namespaces import CLONE_FS, unshare
from stacker.base.errors import Denied, Failed, NoSpace, StackerError, Unsupported
from stacker.drivers.mounts.context import DESCRIPTORS, Context

SETTINGS = {
    # no features whose xattrs a container could forge in its upper directory on another host
    "redirect_dir": "nofollow",
    "metacopy": "off",
    # an index ties the upper directory to the lower file system's identity, which a new mount
    # of the same layer does not keep
    "index": "off",
}
_PAGE = 4096
_SPECIAL = frozenset(":,\\")


class Way(enum.Enum):
    """How this kernel takes the directories."""

    CONFIGURED = "fsconfig"
    CLASSIC = "mount"


def mount_overlay(
    lowers: Sequence[Path],
    *,
    upper: Path,
    work: Path,
    target: Path,
    ways: Sequence[Way] = tuple(Way),
    label: str | None = None,
) -> Way:
    """Mounts, the highest of `lowers` first as overlayfs counts, in the first of `ways` that the
    kernel knows, and returns it. `label` is the SELinux label of all files."""
    settings = SETTINGS if label is None else {**SETTINGS, "context": label}
    *others, last = ways
    for way in others:
        try:
            _WAYS[way](lowers, upper, work, target, settings)
        except OSError as error:
            # before 6.8 the kernel says EINVAL to lowerdir+, and logs it
            if error.errno not in (errno.EINVAL, errno.ENOSYS):
                raise _translated(target, error) from error
        else:
            return way
    try:
        _WAYS[last](lowers, upper, work, target, settings)
    except OSError as error:
        raise _translated(target, error) from error
    return last


def _configured(
    lowers: Sequence[Path], upper: Path, work: Path, target: Path, settings: Mapping[str, str]
) -> None:
    with Context("overlay") as context:
        context.string("source", "stacker")
        for lower in lowers:
            context.path("lowerdir+", os.fspath(lower))
        context.path("upperdir", os.fspath(upper))
        context.path("workdir", os.fspath(work))
        for key, value in settings.items():
            context.string(key, value)
        context.attach(os.fspath(target), 0)


def _classic(
    lowers: Sequence[Path], upper: Path, work: Path, target: Path, settings: Mapping[str, str]
) -> None:
    paths = [os.fspath(path) for path in (upper, work, *lowers)]
    options = _options(paths, settings)
    opened: list[int] = []
    try:
        if len(os.fsencode(options)) < _PAGE and not any(_SPECIAL & set(path) for path in paths):
            linux.mount("stacker", os.fspath(target), "overlay", 0, options)
            return
        for path in paths:
            opened.append(os.open(path, os.O_PATH | os.O_CLOEXEC))  # noqa: PERF401 closed below
        _mount_among_descriptors(target, _options([str(fd) for fd in opened], settings))
    finally:
        for fd in opened:
            os.close(fd)


def _mount_among_descriptors(target: Path, options: str) -> None:
    """Mounts with the descriptors' directory as the working directory, where their numbers are
    names, the shortest there are: the options have room for all the layers overlayfs can stack.

    The directory is a thread's own, which ends with the call.
    """
    failed: list[OSError] = []

    def run() -> None:
        try:
            unshare(CLONE_FS)
            os.chdir(DESCRIPTORS)
            linux.mount("stacker", os.fspath(target), "overlay", 0, options)
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


def _options(paths: list[str], settings: Mapping[str, str]) -> str:
    upper, work, *lowers = paths
    # quoted: a label has commas in it, and only there the kernel looks for quotes
    words = ",".join(
        f'{key}="{value}"' if "," in value else f"{key}={value}" for key, value in settings.items()
    )
    return f"lowerdir={':'.join(lowers)},upperdir={upper},workdir={work},{words}"


_WAYS: dict[Way, Callable[[Sequence[Path], Path, Path, Path, Mapping[str, str]], None]] = {
    Way.CONFIGURED: _configured,
    Way.CLASSIC: _classic,
}


def _translated(target: Path, error: OSError) -> StackerError:
    what = f"mount root file system {target}: {error.strerror}"
    match error.errno:
        case errno.EPERM | errno.EACCES:
            return Denied(what)
        case errno.ENODEV:
            return Unsupported(f"mount root file system {target}: the kernel has no overlayfs")
        case errno.ENOSPC | errno.EDQUOT:
            return NoSpace(what)
        case errno.EINVAL:
            return Failed(f"{what} (the kernel log says more)")
        case _:
            return Failed(what)
