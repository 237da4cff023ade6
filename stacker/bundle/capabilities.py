"""Which capabilities a service gets: the default eleven, `cap_add`, `cap_drop`, `privileged`."""

from __future__ import annotations

from stacker.base.errors import Invalid
from stacker.stack.model.service import Service

ALL = "ALL"

DEFAULT = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_NET_BIND_SERVICE",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
)
"""Podman's: Docker's fourteen without MKNOD, NET_RAW and AUDIT_WRITE."""

KNOWN = frozenset(
    {
        *DEFAULT,
        "CAP_AUDIT_CONTROL",
        "CAP_AUDIT_READ",
        "CAP_AUDIT_WRITE",
        "CAP_BLOCK_SUSPEND",
        "CAP_BPF",
        "CAP_CHECKPOINT_RESTORE",
        "CAP_DAC_READ_SEARCH",
        "CAP_IPC_LOCK",
        "CAP_IPC_OWNER",
        "CAP_LEASE",
        "CAP_LINUX_IMMUTABLE",
        "CAP_MAC_ADMIN",
        "CAP_MAC_OVERRIDE",
        "CAP_MKNOD",
        "CAP_NET_ADMIN",
        "CAP_NET_BROADCAST",
        "CAP_NET_RAW",
        "CAP_PERFMON",
        "CAP_SYSLOG",
        "CAP_SYS_ADMIN",
        "CAP_SYS_BOOT",
        "CAP_SYS_MODULE",
        "CAP_SYS_NICE",
        "CAP_SYS_PACCT",
        "CAP_SYS_PTRACE",
        "CAP_SYS_RAWIO",
        "CAP_SYS_RESOURCE",
        "CAP_SYS_TIME",
        "CAP_SYS_TTY_CONFIG",
        "CAP_WAKE_ALARM",
    }
)


def granted(service: Service, *, available: frozenset[str]) -> tuple[str, ...]:
    """What the service asks for, cut to what this host has to give."""
    return tuple(sorted(_wanted(service) & available))


def missing(service: Service, *, available: frozenset[str]) -> tuple[str, ...]:
    """Asked for by name, and not to be had here."""
    named = {name for name in service.cap_add if name != ALL}
    return tuple(sorted(named & _wanted(service) - available))


def sets(names: tuple[str, ...]) -> dict[str, object]:
    """Inheritable and ambient stay empty (CVE-2022-24769)."""
    given = list(names)
    return {"bounding": given, "effective": given, "permitted": given}


def _wanted(service: Service) -> frozenset[str]:
    if service.privileged:
        return KNOWN
    add, drop = _names(service.cap_add, "cap_add"), _names(service.cap_drop, "cap_drop")
    if ALL in add:
        return KNOWN - drop
    base = frozenset[str]() if ALL in drop else frozenset(DEFAULT) - drop
    return base | add


def _names(names: tuple[str, ...], key: str) -> frozenset[str]:
    for name in names:
        if name != ALL and name not in KNOWN:
            raise Invalid(f"{key}: no capability is named {name}")
    return frozenset(names)
