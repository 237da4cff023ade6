"""What a service may: capabilities, `security_opt`, devices, ulimits."""

from __future__ import annotations

import re
from typing import Any

from stacker.stack.load.canonical.decode import Table, fields, list_of, map_of, refuse, text_of
from stacker.stack.load.canonical.scalars import container_path, integer
from stacker.stack.load.paths import BadPath, absolute
from stacker.stack.load.problems import quoted, suggestion
from stacker.stack.load.tree import At, MapNode, Scalar, part
from stacker.stack.model import Device, SecurityOptions, Ulimit

# linux/capability.h, in the order of their numbers
CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
    "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW",
    "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT",
    "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD",
    "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
    "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
)  # fmt: skip

# setrlimit(2)
ULIMITS = (
    "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile",
    "nproc", "rss", "rtprio", "rttime", "sigpending", "stack",
)  # fmt: skip

_PERMISSIONS = re.compile(r"[rwm]{1,3}")
_LABEL = re.compile(r"disable|(user|role|type|level|filetype):[^\s]+")


def capability(at: At) -> str:
    text = text_of(at)
    bare = text.upper().removeprefix("CAP_")
    if bare == "ALL":
        return bare
    if bare not in CAPABILITIES:
        refuse(at, f"{quoted(text)} is not a capability{suggestion(bare, CAPABILITIES)}")

    return f"CAP_{bare}"


capabilities = list_of(capability)


def security_opt(at: At) -> SecurityOptions:
    list_of(text_of)(at)
    found: dict[str, Any] = {}
    for item in at.items():
        text = text_of(item)
        name, _, value = text.replace("=", ":", 1).partition(":")
        if name not in _SECURITY:
            refuse(item, f"unknown option {quoted(text)}{suggestion(name, _SECURITY)}")
        _SECURITY[name](item, value, found)

    return SecurityOptions(**found)


def _no_new_privileges(at: At, value: str, found: dict[str, Any]) -> None:
    if value not in ("", "true", "false"):
        refuse(at, "no-new-privileges is true or false")
    found["no_new_privileges"] = value != "false"


def _apparmor(at: At, value: str, found: dict[str, Any]) -> None:
    if not value:
        refuse(at, "apparmor names a profile, or is unconfined")
    found["apparmor"] = value


def _seccomp(at: At, value: str, found: dict[str, Any]) -> None:
    if value == "unconfined":
        found["seccomp"] = value
    elif value != "builtin":
        refuse(at, "seccomp is unconfined or builtin: a profile of one's own is not supported")


def _label(at: At, value: str, found: dict[str, Any]) -> None:
    if not _LABEL.fullmatch(value):
        refuse(at, f"label is disable, or user: role: type: level: and a word, not {quoted(value)}")
    found["label"] = (*found.get("label", ()), value)


def _systempaths(at: At, value: str, found: dict[str, Any]) -> None:
    if value != "unconfined":
        refuse(at, "systempaths is unconfined or left out")
    found["unmask"] = True


_SECURITY = {
    "no-new-privileges": _no_new_privileges,
    "apparmor": _apparmor,
    "seccomp": _seccomp,
    "label": _label,
    "systempaths": _systempaths,
}


def device(at: At) -> Device:
    if isinstance(at.node, MapNode):
        return _device(fields(at, _DEVICE, required=("source",)))

    text = text_of(at)
    source, *rest = text.split(":")
    if not source.startswith("/") and "=" in source:
        refuse(at, "devices of the Container Device Interface are not supported")
    if len(rest) > 2:
        refuse(at, f"expected SOURCE[:TARGET[:PERMISSIONS]], found {quoted(text)}")

    found: dict[str, Any] = {"source": _host_device(part(at, source))}
    if len(rest) == 1 and _PERMISSIONS.fullmatch(rest[0]):
        found["permissions"] = rest[0]
    elif rest:
        found["target"] = container_path(part(at, rest[0]))
        found |= {"permissions": _permissions(part(at, rest[1]))} if len(rest) == 2 else {}

    return _device(found)


def _device(found: dict[str, Any]) -> Device:
    return Device(**{"target": found["source"], **found})


def _host_device(at: At) -> str:
    try:
        return absolute(at, text_of(at))
    except BadPath as error:
        refuse(at, str(error))


def _permissions(at: At) -> str:
    text = text_of(at)
    if not _PERMISSIONS.fullmatch(text):
        refuse(at, f"permissions are of r, w and m, not {quoted(text)}")

    return text


_DEVICE: Table = {"source": _host_device, "target": container_path, "permissions": _permissions}

devices = list_of(device)

_UNLIMITED = {"unlimited": -1, "infinity": -1}


def _limit(at: At) -> int:
    text = text_of(at)
    return _UNLIMITED[text] if text in _UNLIMITED else integer(-1)(at)


_SOFT_HARD: Table = {"soft": _limit, "hard": _limit}


def _ulimit(at: At) -> Ulimit:
    if isinstance(at.node, Scalar):
        value = _limit(at)
        return Ulimit(soft=value, hard=value)

    limit = fields(at, _SOFT_HARD, required=("soft", "hard"))
    soft, hard = limit["soft"], limit["hard"]
    if hard != -1 and (soft == -1 or soft > hard):
        refuse(at, "soft is above hard")

    return Ulimit(soft=soft, hard=hard)


def _ulimit_name(at: At, text: str) -> str:
    if text not in ULIMITS:
        refuse(at, f"{quoted(text)} is not a resource of setrlimit(2){suggestion(text, ULIMITS)}")

    return text


ulimits = map_of(_ulimit, key=_ulimit_name)
