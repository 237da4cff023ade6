"""Sources of bind mounts that the parent must open, because the init could not.

Id-mapped ones: the mapping is given as a user namespace, and to apply it takes privileges over the
file system (mount_setattr(2), MOUNT_ATTR_IDMAP), which an init in a user namespace has not. And
those that an init in a user namespace could not walk to: below a directory of mode 0700, say.
What is opened is a detached mount, which the init inherits and attaches.
"""

from __future__ import annotations

import os

from runtime.errors import step
from runtime.launch.id_maps import mappings_of, write_maps
from runtime.linux.constants import AT_FDCWD
from runtime.linux.held_namespaces import HeldNamespaces
from runtime.linux.mount import (
    MOUNT_ATTR_IDMAP,
    MS_SLAVE,
    clone_tree,
    has_detached_mounts,
    mount_setattr,
)
from runtime.namespaces import CLONE_NEWUSER
from runtime.rootfs.options import is_bind, parse_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.namespaces import Plan
    from runtime.spec.model import IdMapping, Mount, Spec

_SEARCH_BY_OTHERS = 0o001


def open_sources(spec: Spec, bundle: str, plan: Plan) -> dict[int, int]:
    """The index in `mounts` of each source that is opened here -> the descriptor of its mount."""
    opened: dict[int, int] = {}
    asked = [
        (index, mount)
        for index, mount in enumerate(spec.mounts)
        if is_bind(mount) and "remount" not in mount.options and _needs_us(mount, bundle, plan)
    ]
    if not asked or not has_detached_mounts():
        return opened
    for index, mount in asked:
        source = os.path.join(bundle, mount.source)
        options = parse_options(mount.options)
        with step(f"mount {mount.destination}: bind {source}"):
            detached = clone_tree(AT_FDCWD, source, recursive=options.recursive)
            if plan.has_user:
                # a copy made in the host's namespace would carry our mounts back to the host
                mount_setattr(detached, propagation=MS_SLAVE, recursive=True)
        if _is_mapped(mount):
            _map_ids(detached, mount, spec, plan, whole_tree=options.idmap == "ridmap")
        opened[index] = detached
    return opened


def open_hidden_root(path: str, plan: Plan) -> int:
    """The root's mount, where the init could not walk to it; else -1."""
    if not plan.has_user or not _is_hidden(path) or not has_detached_mounts():
        return -1
    with step(f"bind the root {path}"):
        root = clone_tree(AT_FDCWD, path, recursive=True)
        mount_setattr(root, propagation=MS_SLAVE, recursive=True)
    return root


def _needs_us(mount: Mount, bundle: str, plan: Plan) -> bool:
    if _is_mapped(mount):
        return True
    return plan.has_user and _is_hidden(os.path.join(bundle, mount.source))


def _is_mapped(mount: Mount) -> bool:
    return bool(mount.uid_mappings) or "idmap" in mount.options or "ridmap" in mount.options


def _is_hidden(path: str) -> bool:
    parent: str = os.path.dirname(os.path.realpath(path))
    while True:
        try:
            if not os.stat(parent).st_mode & _SEARCH_BY_OTHERS:
                return True
        except OSError:
            # absent: to bind it will say so
            return False
        if parent == "/":
            return False
        parent = os.path.dirname(parent)


def _map_ids(detached: int, mount: Mount, spec: Spec, plan: Plan, *, whole_tree: bool) -> None:
    joined = next((fd for fd, flags in plan.join if flags & CLONE_NEWUSER), -1)
    if mount.uid_mappings:
        namespace = _user_namespace(mount.uid_mappings, mount.gid_mappings)
    elif joined >= 0:
        namespace = os.dup(joined)
    else:
        namespace = _user_namespace(*mappings_of(spec.linux))
    try:
        with step(f"mount {mount.destination}: map its ids (uidMappings, idmap)"):
            mount_setattr(
                detached, set_=MOUNT_ATTR_IDMAP, userns_fd=namespace, recursive=whole_tree
            )
    finally:
        os.close(namespace)


def _user_namespace(uids: tuple[IdMapping, ...], gids: tuple[IdMapping, ...]) -> int:
    """An fd of a new user namespace with these mappings."""
    with (
        step("make the user namespace of an id mapping"),
        HeldNamespaces(CLONE_NEWUSER) as pid,
    ):
        write_maps(pid, uids, gids)
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
