"""Masked and read-only paths: what of /proc and /sys the container may not see, or not change.

Files are masked by the host's null device (never the container's: CVE-2025-31133), directories by
one empty read-only tmpfs that all masks of a container share. A path that is absent needs no mask;
any other failure stops the start.
"""

from __future__ import annotations

import os
import stat

from runtime.errors import step
from runtime.linux.mount import MOUNT_ATTR_RDONLY
from runtime.rootfs.devices import host_null
from runtime.rootfs.resolve import open_existing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.rootfs.maker import Maker


def mask_paths(maker: Maker, root: int, paths: tuple[str, ...], label: str = "") -> None:
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
                    _attach_and_close(maker, maker.clone(null), target)
                elif empty < 0:
                    empty = _empty_directory(maker, label)
                    maker.attach(empty, target)
                else:
                    # the first one is attached by now, so it can be cloned
                    _attach_and_close(maker, maker.clone(empty), target)
                os.close(target)
    finally:
        os.close(null)
        if empty >= 0:
            os.close(empty)


def protect_paths(maker: Maker, root: int, paths: tuple[str, ...]) -> None:
    """Make each path, with all mounted below it, read-only."""
    for path in paths:
        target = open_existing(root, path)
        if target is None:
            continue
        with step(f"make {path} read-only"):
            covering = maker.clone(target, recursive=True)
            maker.set_attributes_of_tree(covering, MOUNT_ATTR_RDONLY)
            _attach_and_close(maker, covering, target)
            os.close(target)


def _empty_directory(maker: Maker, label: str) -> int:
    return maker.make(
        "tmpfs",
        "tmpfs",
        data=("size=0k", "nr_inodes=1"),
        label=label,
        attributes=MOUNT_ATTR_RDONLY,
        readonly=True,
    )


def _attach_and_close(maker: Maker, made: int, target: int) -> None:
    try:
        maker.attach(made, target)
    finally:
        os.close(made)
