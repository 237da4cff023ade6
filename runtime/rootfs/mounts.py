"""Make one mount of config.json: a detached mount first, then attached on a resolved target.

`dispatch` is the table of kinds. The order of the list is config.json's: later mounts may lie
inside earlier ones, so each target is resolved when its turn comes.
"""

from __future__ import annotations

import os
import stat

from runtime.errors import NotSupported, step
from runtime.linux.constants import AT_FDCWD
from runtime.linux.mount import (
    attach,
    clone_tree,
    fsconfig_create,
    fsconfig_flag,
    fsconfig_string,
    fsmount,
    fsopen,
    mount_setattr,
)
from runtime.rootfs.options import Options, parse_options
from runtime.rootfs.resolve import open_target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.spec.model import Mount


def make_mount(root: int, mount: Mount, bundle: str, label: str = "") -> None:
    """Make `mount` below the directory fd `root`; relative sources are the bundle's."""
    options = parse_options(mount.options)
    if options.unsupported:
        raise NotSupported(f"mount {mount.destination}: option {options.unsupported}")
    if options.remount:
        _remount(root, mount, options)
        return
    if options.bind or mount.type == "bind":
        detached = _bind(mount, options, bundle)
    else:
        detached = new_file_system(mount, options, label)
    try:
        directory = stat.S_ISDIR(os.fstat(detached).st_mode)
        target = open_target(root, mount.destination, directory=directory)
        try:
            with step(f"mount {mount.destination}"):
                attach(detached, target)
        finally:
            os.close(target)
        with step(f"mount {mount.destination}: set the propagation"):
            for propagation, whole_tree in options.propagation:
                mount_setattr(detached, propagation=propagation, recursive=whole_tree)
    finally:
        os.close(detached)


def new_file_system(mount: Mount, options: Options, label: str) -> int:
    """A detached mount of a new file system instance."""
    with step(f"mount {mount.destination}: open file system {mount.type}"):
        context = fsopen(mount.type)
    try:
        with step(f"mount {mount.destination}: configure {mount.type}"):
            fsconfig_string(context, "source", mount.source or mount.type)
            for word in options.super_flags:
                fsconfig_flag(context, word)
            if label and mount.type in ("tmpfs", "devpts", "mqueue"):
                fsconfig_string(context, "context", label)
        for word in options.data:
            with step(f"mount {mount.destination}: option {word}"):
                name, equals, value = word.partition("=")
                if equals:
                    fsconfig_string(context, name, value)
                else:
                    fsconfig_flag(context, name)
        with step(f"mount {mount.destination}: make {mount.type}"):
            fsconfig_create(context)
            return fsmount(context, options.set | options.set_recursive)
    finally:
        os.close(context)


def _bind(mount: Mount, options: Options, bundle: str) -> int:
    source = os.path.join(bundle, mount.source)
    with step(f"mount {mount.destination}: bind {source}"):
        detached = clone_tree(AT_FDCWD, source, recursive=options.recursive)
    try:
        _set_attributes(detached, mount, options)
    except BaseException:
        os.close(detached)
        raise
    return detached


def _remount(root: int, mount: Mount, options: Options) -> None:
    with step(f"remount {mount.destination}"):
        target = open_target(root, mount.destination, directory=True)
        try:
            _set_attributes(target, mount, options)
        finally:
            os.close(target)


def _set_attributes(fd: int, mount: Mount, options: Options) -> None:
    with step(f"mount {mount.destination}: set its attributes"):
        if options.set or options.clear:
            mount_setattr(fd, set_=options.set, clear=options.clear)
        if options.set_recursive or options.clear_recursive:
            mount_setattr(
                fd,
                set_=options.set_recursive,
                clear=options.clear_recursive,
                recursive=True,
            )
