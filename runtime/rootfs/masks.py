"""Masked and read-only paths: what of /proc and /sys the container may not see, or not change.

Files are masked by the host's null device (never the container's: CVE-2025-31133), directories by
one empty read-only tmpfs that all masks of a container share. A path that is absent needs no mask;
any other failure stops the start.
"""

from __future__ import annotations

import os
import stat

from runtime.errors import step
from runtime.linux.mount import (
    MOUNT_ATTR_RDONLY,
    attach,
    clone_tree,
    fsconfig_create,
    fsconfig_string,
    fsmount,
    fsopen,
    mount_setattr,
)
from runtime.rootfs.devices import host_null
from runtime.rootfs.resolve import open_existing


def mask_paths(root: int, paths: tuple[str, ...]) -> None:
    if not paths:
        return
    null = host_null()
    empty = -1
    try:
        for path in paths:
            target = open_existing(root, path)
            if target is None:
                continue
            with step(f"mask {path}"):
                if not stat.S_ISDIR(os.fstat(target).st_mode):
                    _attach_and_close(clone_tree(null), target)
                elif empty < 0:
                    empty = _empty_directory()
                    attach(empty, target)
                else:
                    # the first one is attached by now, so it can be cloned
                    _attach_and_close(clone_tree(empty), target)
                os.close(target)
    finally:
        os.close(null)
        if empty >= 0:
            os.close(empty)


def protect_paths(root: int, paths: tuple[str, ...]) -> None:
    """Make each path, with all mounted below it, read-only."""
    for path in paths:
        target = open_existing(root, path)
        if target is None:
            continue
        with step(f"make {path} read-only"):
            detached = clone_tree(target, recursive=True)
            mount_setattr(detached, set_=MOUNT_ATTR_RDONLY, recursive=True)
            _attach_and_close(detached, target)
            os.close(target)


def _empty_directory() -> int:
    context = fsopen("tmpfs")
    try:
        fsconfig_string(context, "size", "0k")
        fsconfig_string(context, "nr_inodes", "1")
        fsconfig_create(context)
        return fsmount(context, MOUNT_ATTR_RDONLY)
    finally:
        os.close(context)


def _attach_and_close(detached: int, target: int) -> None:
    try:
        attach(detached, target)
    finally:
        os.close(detached)
