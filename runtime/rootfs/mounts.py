"""Make one mount of config.json: out of sight first, then attached on a resolved target.

The order of the list is config.json's: later mounts may lie inside earlier ones, so each target is
resolved when its turn comes.
"""

from __future__ import annotations

import os
import stat

from runtime.errors import KernelFault, NotSupported, step
from runtime.linux.mount import MOUNT_ATTR_RDONLY
from runtime.rootfs.copy_up import copy_tree
from runtime.rootfs.options import is_bind, parse_options
from runtime.rootfs.resolve import open_existing, open_plain_directory, open_target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.rootfs.maker import Maker
    from runtime.rootfs.options import Options
    from runtime.spec.model import Mount

# what is mounted here is written to, and masked, by its path: the path must be the place
# (CVE-2019-19921, CVE-2023-27561: /proc as a link)
_NO_LINKS = ("proc", "sysfs")
_LABELLED = ("tmpfs", "devpts", "mqueue")


def make_mount(
    maker: Maker, root: int, mount: Mount, bundle: str, *, label: str = "", opened: int = -1
) -> int:
    """Make `mount` below the directory fd `root`; relative sources are the bundle's.

    `opened` is the source as a detached mount, where somebody else had to open it. Gives the root
    from then on: one that is mounted on / takes the place of what was there.
    """
    options = parse_options(mount.options)
    _refuse(maker, mount, options, opened)
    if options.remount:
        _remount(maker, root, mount, options)
        return root
    if is_bind(mount):
        made = _bind(maker, mount, options, bundle) if opened < 0 else opened
        directory = stat.S_ISDIR(os.fstat(made).st_mode)
        target = open_target(root, mount.destination, directory=directory)
    else:
        target, existed = _file_system_target(root, mount)
        made = _new_file_system(maker, mount, options, label, target if existed else -1)
    try:
        with step(f"mount {mount.destination}: set its attributes"):
            _set_attributes(maker, made, options, new=not is_bind(mount))
        _attach(maker, mount, options, made, target)
        return os.dup(made) if os.path.samestat(os.fstat(target), os.fstat(root)) else root
    finally:
        os.close(made)
        os.close(target)


def _attach(maker: Maker, mount: Mount, options: Options, made: int, target: int) -> None:
    with step(f"mount {mount.destination}"):
        maker.attach(made, target)
    with step(f"mount {mount.destination}: set the propagation"):
        for propagation, whole_tree in options.propagation:
            maker.set_propagation(made, propagation, whole_tree=whole_tree)


def _refuse(maker: Maker, mount: Mount, options: Options, opened: int) -> None:
    where = f"mount {mount.destination}: option"
    if options.unsupported:
        raise NotSupported(f"{where} {options.unsupported}: use uidMappings and gidMappings")
    if maker.has_attributes_of_trees:
        return
    if options.recursive_word:
        raise NotSupported(f"{where} {options.recursive_word}: the kernel has no mount_setattr")
    if (options.idmap or mount.uid_mappings) and opened < 0:
        raise NotSupported(
            f"{where} {options.idmap or 'idmap'}: the kernel has no mount_setattr for uidMappings"
        )


def _bind(maker: Maker, mount: Mount, options: Options, bundle: str) -> int:
    source = os.path.join(bundle, mount.source)
    with step(f"mount {mount.destination}: bind {source}"):
        return maker.clone(source, recursive=options.recursive)


def _file_system_target(root: int, mount: Mount) -> tuple[int, bool]:
    """The mount point, and whether it was there before."""
    found = open_existing(root, mount.destination)
    if found is not None:
        os.close(found)
    target = open_target(root, mount.destination, directory=True)
    if mount.type in _NO_LINKS:
        os.close(target)
        target = open_plain_directory(root, mount.destination)
    return target, found is not None


def _new_file_system(maker: Maker, mount: Mount, options: Options, label: str, covered: int) -> int:
    """`covered`: the directory that was there, or -1."""
    data, attributes = options.data, options.set
    if mount.type == "tmpfs" and covered >= 0 and not any(w.startswith("mode=") for w in data):
        # as the image has it: its /tmp is 1777
        data = (*data, f"mode={stat.S_IMODE(os.fstat(covered).st_mode):o}")
    copy_up = options.copy_up and covered >= 0
    with step(f"mount {mount.destination}: make {mount.type}"):
        made = maker.make(
            mount.type,
            mount.source or mount.type,
            words=options.super_flags,
            data=data,
            label=label if mount.type in _LABELLED else "",
            attributes=attributes & ~MOUNT_ATTR_RDONLY if copy_up else attributes,
            readonly=bool(attributes & MOUNT_ATTR_RDONLY),
        )
    if copy_up:
        with step(f"mount {mount.destination}: option tmpcopyup"):
            copy_tree(covered, made)
            maker.set_attributes(made, attributes & MOUNT_ATTR_RDONLY)
    return made


def _remount(maker: Maker, root: int, mount: Mount, options: Options) -> None:
    with step(f"remount {mount.destination}"):
        target = open_existing(root, mount.destination)
        if target is None:
            raise KernelFault(f"remount {mount.destination}", 0, "nothing is there")
        try:
            if not is_bind(mount) and (options.super_flags or options.data):
                maker.reconfigure(target, words=options.super_flags, data=options.data)
            _set_attributes(maker, target, options, new=False)
            for propagation, whole_tree in options.propagation:
                maker.set_propagation(target, propagation, whole_tree=whole_tree)
        finally:
            os.close(target)


def _set_attributes(maker: Maker, mounted: int, options: Options, *, new: bool) -> None:
    if not new:
        maker.set_attributes(mounted, options.set, options.clear)
    if options.recursive_word:
        maker.set_attributes_of_tree(mounted, options.set_recursive, options.clear_recursive)
