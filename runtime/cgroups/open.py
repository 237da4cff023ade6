"""The way in: the cgroup that a container will have, or has, by the manager that was asked for.

| manager | `linux.cgroupsPath` | who makes it |
|---|---|---|
| `cgroupfs` | a path, absolute or relative | we do, in the files |
| `systemd` | `slice:prefix:name` | systemd, asked over D-Bus |
| `disabled` | is not looked at | nobody |
"""

from __future__ import annotations

from runtime.cgroups.cgroup import Cgroup
from runtime.cgroups.detect import detect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def open_cgroup(cgroups_path: str, *, identity: str = "", manager: str = "cgroupfs") -> Cgroup:
    """Find the container's directories on this host; nothing is made yet.

    `identity` is the container's id, which names the cgroup where config.json does not.
    """
    if manager == "systemd":
        from runtime.cgroups.systemd.scope import open_scope

        return open_scope(cgroups_path, identity)
    if manager == "disabled":
        from runtime.cgroups.none import NoCgroup

        return NoCgroup()
    # not for those who only read what is stored
    from runtime.cgroups import paths

    clean = paths.check_path(cgroups_path or f"/{identity}")
    layout = detect()
    legacy, unified = paths.directories(layout, clean)
    return Cgroup(legacy=legacy, unified=unified, layout=layout)


def stored_cgroup(
    stored: Mapping[str, object], *, init: int = 0, own_pid_namespace: bool = False
) -> Cgroup:
    """What `to_json` gave, read back; the host is not asked again.

    `init`: the container's first process; 0 where it is dead.
    """
    document = dict(stored)
    cgroup = _class_of(document.get("manager")).from_json(document)
    if cgroup.manager != "disabled" or own_pid_namespace:
        cgroup.init = init
    return cgroup


def _class_of(manager: object) -> type[Cgroup]:
    if manager == "systemd":
        from runtime.cgroups.systemd.scope import ScopeCgroup

        return ScopeCgroup
    if manager == "disabled":
        from runtime.cgroups.none import NoCgroup

        return NoCgroup
    return Cgroup


def load_all() -> None:
    """For a program that forks: no child of it imports anything."""
    from runtime.cgroups import none
    from runtime.cgroups.systemd import scope

    del none, scope
