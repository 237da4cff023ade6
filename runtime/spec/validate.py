"""What config.json must satisfy beyond its types: a list of checks, each a function with a reason.

Every check gets the whole spec and yields the complaints it has; the first one is raised.
"""

from __future__ import annotations

from runtime.errors import SpecInvalid
from runtime.spec.validate_namespaces import (
    check_mappings,
    check_namespaces,
    check_net_devices,
    check_time_offsets,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime.spec.model import Process, Spec

_DEVICE_TYPES = ("c", "b", "u", "p")
_PROPAGATIONS = (
    "", "shared", "slave", "private", "unbindable", "rshared", "rslave", "rprivate", "runbindable",
)  # fmt: skip
# kernel sysctls that belong to a namespace (proc_sys(5), namespaces(7)); all others are the host's
_IPC_SYSCTLS = (
    "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall",
    "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
)  # fmt: skip
_UTS_SYSCTLS = ("kernel.domainname",)


def check_spec(spec: Spec) -> None:
    for check in CHECKS:
        for complaint in check(spec):
            raise SpecInvalid(complaint)
    if spec.process is not None:
        check_process(spec.process)


def check_process(process: Process) -> None:
    if not process.args:
        raise SpecInvalid("process.args: empty")
    if not process.cwd.startswith("/"):
        raise SpecInvalid(f"process.cwd: {process.cwd!r} is not an absolute path")
    for index, entry in enumerate(process.env):
        # an entry without "=" once pulled the host's value in (Podman CVE-2026-57231)
        if entry.find("=") < 1:
            raise SpecInvalid(f"process.env[{index}]: {entry!r} is not NAME=value")


def _version(spec: Spec) -> Iterator[str]:
    if not spec.version.startswith("1."):
        yield f"ociVersion: {spec.version!r} is not a 1.x version"


def _names(spec: Spec) -> Iterator[str]:
    for field, value in (("hostname", spec.hostname), ("domainname", spec.domainname)):
        if value and not spec.has_namespace("uts"):
            yield f"{field}: needs a uts namespace"
        if len(value.encode()) > 64:
            yield f"{field}: longer than 64 bytes"


def _mounts(spec: Spec) -> Iterator[str]:
    for index, mount in enumerate(spec.mounts):
        # relative destinations were allowed once (specification 1.0.0-rc) and are read as from /
        where = f"mounts[{index}]"
        if not mount.destination:
            yield f"{where}.destination: empty"
        elif not mount.destination.strip("/") and not spec.has_namespace("mount"):
            yield f"{where}.destination: / is the caller's own without a mount namespace"
        bind = mount.type == "bind" or "bind" in mount.options or "rbind" in mount.options
        if not bind and not mount.type and "remount" not in mount.options:
            yield f"{where}.type: missing"
        if "tmpcopyup" in mount.options and mount.type != "tmpfs":
            yield f"{where}.options: tmpcopyup is for a tmpfs"
        if bool(mount.uid_mappings) != bool(mount.gid_mappings):
            yield f"{where}: uidMappings and gidMappings need each other"
        mapped = mount.uid_mappings or {"idmap", "ridmap"} & set(mount.options)
        if mapped and not bind:
            yield f"{where}.uidMappings: only a bind mount can have its ids mapped"
        if mapped and not mount.uid_mappings and not spec.has_namespace("user"):
            yield f"{where}.options: idmap needs uidMappings, or a user namespace to take them of"


def _propagation(spec: Spec) -> Iterator[str]:
    if spec.linux.rootfs_propagation not in _PROPAGATIONS:
        yield f"linux.rootfsPropagation: {spec.linux.rootfs_propagation!r} is not a propagation"


def _devices(spec: Spec) -> Iterator[str]:
    for index, device in enumerate(spec.linux.devices):
        if device.type not in _DEVICE_TYPES:
            yield f"linux.devices[{index}].type: {device.type!r} is not one of c, b, u, p"
        if not device.path.startswith("/") or ".." in device.path.split("/"):
            yield f"linux.devices[{index}].path: {device.path!r} is not a plain absolute path"


def _paths(spec: Spec) -> Iterator[str]:
    for field in ("masked_paths", "readonly_paths"):
        for index, path in enumerate(getattr(spec.linux, field)):
            if not path.startswith("/"):
                yield f"linux.{_camel(field)}[{index}]: {path!r} is not an absolute path"


def _sysctls(spec: Spec) -> Iterator[str]:
    for name in spec.linux.sysctl:
        parts = name.replace("/", ".").split(".")
        if "" in parts or ".." in name:
            yield f"linux.sysctl: {name!r} is not a name"
        elif name.replace("/", ".") == "kernel.hostname":
            yield "linux.sysctl: kernel.hostname is what the field hostname is for"
        elif not spec.has_namespace(namespace_of_sysctl(name)):
            yield f"linux.sysctl: {name} would change the host: it is in no namespace of its own"


def namespace_of_sysctl(name: str) -> str:
    """The kind of namespace that it belongs to; empty where it belongs to none."""
    dotted = name.replace("/", ".")
    if dotted.startswith("net."):
        return "network"
    if dotted in _IPC_SYSCTLS or dotted.startswith("fs.mqueue."):
        return "ipc"
    return "uts" if dotted in _UTS_SYSCTLS else ""


def _hooks(spec: Spec) -> Iterator[str]:
    for kind, hooks in spec.hooks.__dict__.items():
        for index, hook in enumerate(hooks):
            if not hook.path.startswith("/"):
                yield f"hooks.{_camel(kind)}[{index}].path: {hook.path!r} is not an absolute path"


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


CHECKS = (
    _version,
    check_namespaces,
    _names,
    _mounts,
    _propagation,
    _devices,
    _paths,
    _sysctls,
    check_mappings,
    check_time_offsets,
    check_net_devices,
    _hooks,
)
