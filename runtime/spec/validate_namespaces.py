"""What must hold between `linux.namespaces` and the fields that need one of them."""

from __future__ import annotations

from itertools import pairwise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime.spec.model import IdMapping, Spec

NAMESPACE_TYPES = ("pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time")

_IDS = 2**32
# user_namespaces(7): the most lines that the kernel takes since Linux 4.15
_MOST_MAPPINGS = 340


def check_namespaces(spec: Spec) -> Iterator[str]:
    kinds = [namespace.type for namespace in spec.linux.namespaces]
    for index, namespace in enumerate(spec.linux.namespaces):
        where = f"linux.namespaces[{index}]"
        if namespace.type not in NAMESPACE_TYPES:
            yield f"{where}.type: {namespace.type!r} is not supported"
        if kinds.count(namespace.type) > 1:
            yield f"{where}.type: {namespace.type} is given twice"
        if namespace.path and not namespace.path.startswith("/"):
            yield f"{where}.path: {namespace.path!r} is not an absolute path"
    if "mount" not in kinds and "user" in kinds:
        # the caller's mount namespace belongs to another user namespace (mount_namespaces(7))
        yield "linux.namespaces: in a user namespace a mount namespace is needed as well"


def check_mappings(spec: Spec) -> Iterator[str]:
    linux = spec.linux
    fields = (("uidMappings", linux.uid_mappings), ("gidMappings", linux.gid_mappings))
    for field, mappings in fields:
        where = f"linux.{field}"
        if mappings and not spec.has_namespace("user"):
            yield f"{where}: needs a user namespace"
        if bool(linux.uid_mappings) != bool(linux.gid_mappings):
            yield f"{where}: uidMappings and gidMappings need each other"
        if len(mappings) > _MOST_MAPPINGS:
            yield f"{where}: {len(mappings)} mappings, the kernel takes {_MOST_MAPPINGS}"
        yield from _overlaps(where, mappings)


def _overlaps(where: str, mappings: tuple[IdMapping, ...]) -> Iterator[str]:
    for index, one in enumerate(mappings):
        if one.container_id + one.size > _IDS or one.host_id + one.size > _IDS:
            yield f"{where}[{index}]: goes beyond the last id"
    for side in ("container_id", "host_id"):
        ordered = sorted((getattr(one, side), one.size, at) for at, one in enumerate(mappings))
        for (first, size, _), (second, _, index) in pairwise(ordered):
            if first + size > second:
                yield f"{where}[{index}]: has ids of another mapping"


def check_time_offsets(spec: Spec) -> Iterator[str]:
    # the offsets of a namespace that has processes are frozen (time_namespaces(7))
    if spec.linux.time_offsets and not _is_new(spec, "time"):
        yield "linux.timeOffsets: needs a new time namespace"


def check_net_devices(spec: Spec) -> Iterator[str]:
    if spec.linux.net_devices and not spec.has_namespace("network"):
        yield "linux.netDevices: unable to move network devices without a NET namespace"  # as runc


def _is_new(spec: Spec, kind: str) -> bool:
    return spec.has_namespace(kind) and not spec.namespace_path(kind)
