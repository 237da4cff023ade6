"""Mounts that belong to a file descriptor until they are attached: the way of Linux 5.12 and later.

`Detached` and `Classic` are the two ways to the same thing, with the same methods; `maker.py`
chooses. A mount is made out of sight, gets its attributes there, and is attached on a resolved
descriptor: no moment at which it can be seen without them, and no name that could be swapped.
"""

from __future__ import annotations

import os

from runtime.linux.constants import AT_FDCWD
from runtime.linux.mount import (
    attach,
    attach_at,
    clone_tree,
    fsconfig_create,
    fsconfig_flag,
    fsconfig_reconfigure,
    fsconfig_string,
    fsmount,
    fsopen,
    fspick,
    mount_setattr,
)

# of these `ro` is said of the mount alone: their instance may have other mounts, which are not
_KERNEL_OWN = frozenset(("tmpfs", "proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue"))

_VALUE_MAX = 255
"""Bytes of a value (fsconfig(2)), where mount(2) takes a page of options."""


class Detached:
    """Keeps nothing: every mount is its descriptor."""

    __slots__ = ()
    has_attributes_of_trees = True

    def root(self, path: str, opened: int) -> int:
        """The container's root, attached; `opened` is a clone of it made elsewhere, or -1.

        That one lies on a path which our user namespace cannot walk, so it is attached on /: out
        of the way, because a walk begins below what covers /, and of a namespace whose mounts
        reach nobody, because a user namespace owns it (mount_namespaces(7)).
        """
        root = clone_tree(AT_FDCWD, path, recursive=True) if opened < 0 else opened
        attach_at(root, path if opened < 0 else "/")
        return root

    def clone(self, source: int | str, *, recursive: bool = False) -> int:
        if isinstance(source, int):
            return clone_tree(source, recursive=recursive)
        return clone_tree(AT_FDCWD, source, recursive=recursive)

    def make(
        self,
        kind: str,
        source: str,
        *,
        words: tuple[str, ...] = (),
        data: tuple[str, ...] = (),
        label: str = "",
        attributes: int = 0,
        readonly: bool = False,
    ) -> int:
        """A mount of a new file system; `words` are of every file system, `data` of this one."""
        context = fsopen(kind)
        try:
            fsconfig_string(context, "source", source)
            if readonly and kind not in _KERNEL_OWN:
                fsconfig_flag(context, "ro")
            _configure(context, (*words, *data))
            if label:
                fsconfig_string(context, "context", label)
            fsconfig_create(context)
            return fsmount(context, attributes)
        finally:
            os.close(context)

    def reconfigure(self, mounted: int, *, words: tuple[str, ...], data: tuple[str, ...]) -> None:
        context = fspick(mounted)
        try:
            _configure(context, (*words, *data))
            fsconfig_reconfigure(context)
        finally:
            os.close(context)

    def set_attributes(self, mounted: int, to_set: int, to_clear: int = 0) -> None:
        if to_set or to_clear:
            mount_setattr(mounted, set_=to_set, clear=to_clear)

    def set_attributes_of_tree(self, mounted: int, to_set: int, to_clear: int = 0) -> None:
        if to_set or to_clear:
            mount_setattr(mounted, set_=to_set, clear=to_clear, recursive=True)

    def set_propagation(self, mounted: int, propagation: int, *, whole_tree: bool) -> None:
        mount_setattr(mounted, propagation=propagation, recursive=whole_tree)

    def attach(self, made: int, target: int) -> None:
        attach(made, target)


def _layers(lowerdir: str) -> list[str]:
    """The directories of overlayfs's option, one by one (Linux 6.5; overlayfs.rst, "lowerdir+")."""
    return [part.replace("\0", ":") for part in lowerdir.replace("\\:", "\0").split(":")]


def _configure(context: int, words: tuple[str, ...]) -> None:
    for word in words:
        name, equals, value = word.partition("=")
        try:
            if name == "lowerdir" and len(os.fsencode(value)) > _VALUE_MAX:
                for layer in _layers(value):
                    fsconfig_string(context, "lowerdir+", layer)
            elif equals:
                fsconfig_string(context, name, value)
            else:
                fsconfig_flag(context, name)
        except OSError as error:
            raise OSError(error.errno, f"option {word}: {error.strerror}") from error
