"""AppArmor profile and SELinux labels of a container, where the host has them.

What a service names explicitly and the host cannot give is an error; the default is left out on a
host without the module.
"""

from __future__ import annotations

from stacker.base.errors import Unsupported
from stacker.base.facts import HostFacts
from stacker.bundle.inputs import ContainerInputs
from stacker.stack.model.mount import Mount
from stacker.stack.model.service import Service

UNCONFINED = "unconfined"

_PROCESS = {"user": "system_u", "role": "system_r", "type": "container_t"}
_FILE_TYPE = "container_file_t"
_UNCONFINED_TYPE = "spc_t"  # "super privileged container", container-selinux(8)
_DISABLE = "disable"
_SHARED_LEVEL = "s0"  # no category: every container may


def apparmor_profile(service: Service, facts: HostFacts, inputs: ContainerInputs) -> str | None:
    asked = service.security_opt.apparmor
    if not facts.apparmor:
        if asked not in (None, UNCONFINED):
            raise Unsupported(f"security_opt: apparmor {asked}: AppArmor is off on this host")
        return None
    if asked is not None:
        return asked
    return UNCONFINED if service.privileged else inputs.apparmor_profile


def is_apparmor_confined(service: Service, facts: HostFacts, inputs: ContainerInputs) -> bool:
    """By our own profile, which holds back what seccomp cannot see."""
    profile = apparmor_profile(service, facts, inputs)
    return profile is not None and profile == inputs.apparmor_profile


def process_label(service: Service, facts: HostFacts, level: str) -> str | None:
    if not facts.selinux:
        return None
    if service.privileged or _DISABLE in service.security_opt.label:
        return _label({**_PROCESS, "type": _UNCONFINED_TYPE}, _SHARED_LEVEL)
    parts = {**_PROCESS, **_parts(service)}
    return _label(parts, parts.pop("level", level))


def mount_label(service: Service, facts: HostFacts, level: str) -> str | None:
    """Of the files that are this container's alone."""
    if not facts.selinux or service.privileged or _DISABLE in service.security_opt.label:
        return None
    return _file_label(_parts(service).get("level", level))


def source_label(service: Service, facts: HostFacts, level: str, mount: Mount | None) -> str | None:
    """Of a bind's or volume's files: `Z` this container's alone, `z` any container's.

    A bind without either keeps the label it has; a volume, also one that the image declares
    (None), is there for containers anyway.
    """
    own = mount_label(service, facts, level)
    if own is None:
        return None
    asked = None
    if mount is not None and mount.type == "bind":
        asked = mount.bind.selinux if mount.bind else None
        if asked is None:
            return None
    elif mount is not None:
        asked = mount.volume.selinux if mount.volume else None
    return own if asked == "Z" else _file_label(_SHARED_LEVEL)


def _file_label(level: str) -> str:
    return _label({"user": _PROCESS["user"], "role": "object_r", "type": _FILE_TYPE}, level)


def _parts(service: Service) -> dict[str, str]:
    """`type:x` and the like; loading has checked the words."""
    pairs = (word.partition(":") for word in service.security_opt.label if ":" in word)
    return {key: value for key, _, value in pairs}


def _label(parts: dict[str, str], level: str) -> str:
    return f"{parts['user']}:{parts['role']}:{parts['type']}:{level}"
