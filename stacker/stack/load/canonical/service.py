"""The table of a service's keys, and the one place where a `Service` is put together."""

from __future__ import annotations

import re
from typing import Any

from stacker.base.errors import Invalid
from stacker.oci.reference import Reference
from stacker.stack.load.canonical import life, networking, pairs, ports, security, volumes
from stacker.stack.load.canonical.decode import (
    Table,
    choice,
    fields,
    list_of,
    one_or_more,
    refuse,
    text_of,
)
from stacker.stack.load.canonical.draft import EnvFile, ServiceDraft
from stacker.stack.load.canonical.files import file_mounts
from stacker.stack.load.canonical.refused import SERVICE_REFUSED
from stacker.stack.load.canonical.resources import deploy, fold_deploy
from stacker.stack.load.canonical.scalars import (
    address,
    arguments,
    boolean,
    container_path,
    duration,
    hostname,
    integer,
    name,
    number,
    pull_policy,
    size,
    size_or_unlimited,
    stop_signal,
    string,
    word,
)
from stacker.stack.load.canonical.user_namespace import drop_host, userns_mode
from stacker.stack.load.paths import BadPath, absolute
from stacker.stack.load.problems import quoted
from stacker.stack.load.tree import At, MapNode
from stacker.stack.model import Service

_CPUSET = re.compile(r"[0-9]{1,4}(-[0-9]{1,4})?(,[0-9]{1,4}(-[0-9]{1,4})?)*")
_PLATFORM = re.compile(r"[a-z0-9]+(/[a-z0-9_]+(/[a-z0-9.]+)?)?")


def _matching(pattern: re.Pattern[str], what: str) -> Any:
    def decode(at: At) -> str:
        text = text_of(at)
        if not pattern.fullmatch(text):
            refuse(at, f"{quoted(text)} is not {what}")

        return text

    return decode


_ENV_FILE: Table = {
    "path": string,
    "required": boolean,
    "format": choice("dotenv", "raw"),
}


def _env_file(at: At) -> EnvFile:
    if not isinstance(at.node, MapNode):
        return EnvFile(path=_path(at, text_of(at)), where=at.where)

    found = fields(at, _ENV_FILE, required=("path",))
    found["path"] = _path(at.get("path") or at, found["path"])
    return EnvFile(where=at.where, **found)


def _path(at: At, text: str) -> str:
    try:
        return absolute(at, text)
    except BadPath as error:
        refuse(at, str(error))


def _image(at: At) -> str:
    text = word(at)
    try:
        Reference.parse(text)
    except Invalid as error:
        refuse(at, error.message)
    return text


SERVICE: Table = {
    "cap_add": security.capabilities,
    "cap_drop": security.capabilities,
    "command": arguments,
    "configs": file_mounts(""),
    "container_name": name,
    "cpu_shares": integer(0, 1 << 18),
    "cpus": number,
    "cpuset": _matching(_CPUSET, "a list of CPUs such as 0-3,5"),
    "depends_on": life.depends_on,
    "deploy": deploy,
    "devices": security.devices,
    "dns": one_or_more(address),
    "dns_opt": list_of(word),
    "dns_search": one_or_more(word),
    "entrypoint": arguments,
    "env_file": one_or_more(_env_file),
    "environment": pairs.environment,
    "expose": ports.expose,
    "extra_hosts": pairs.extra_hosts,
    "group_add": list_of(word),
    "healthcheck": life.healthcheck,
    "hostname": hostname,
    "image": _image,
    "init": boolean,
    "ipc": networking.namespace("private", "shareable", "host", "none"),
    "labels": pairs.labels,
    "links": networking.links,
    "logging": life.logging,
    "mem_limit": size,
    "mem_reservation": size,
    "memswap_limit": size_or_unlimited,
    "network_mode": networking.namespace("host", "none", "bridge", "default"),
    "networks": networking.attachments,
    "pid": networking.namespace("host"),
    "pids_limit": integer(-1, 1 << 22),
    "platform": _matching(_PLATFORM, "a platform such as linux/amd64"),
    "ports": ports.ports,
    "privileged": boolean,
    "profiles": list_of(name),
    "pull_policy": pull_policy,
    "read_only": boolean,
    "restart": life.restart,
    "runtime": word,
    "secrets": file_mounts("/run/secrets"),
    "security_opt": security.security_opt,
    "shm_size": size,
    "stdin_open": boolean,
    "stop_grace_period": duration,
    "stop_signal": stop_signal,
    "sysctls": pairs.sysctls,
    "tmpfs": volumes.tmpfs,
    "tty": boolean,
    "ulimits": security.ulimits,
    "user": word,
    "userns_mode": userns_mode,
    "uts": choice("host"),
    "volumes": volumes.mounts,
    "working_dir": container_path,
}
"""Every key of a service that stacker honours; `docs/compose-support.md` says how."""

_EMPTY_SAYS_NOTHING = frozenset(
    {
        "container_name", "cpus", "cpuset", "hostname", "ipc", "mem_limit", "mem_reservation",
        "memswap_limit", "network_mode", "pid", "pids_limit", "platform", "pull_policy", "restart",
        "runtime", "shm_size", "stop_grace_period", "stop_signal", "user", "userns_mode", "uts",
        "working_dir",
    }
)  # fmt: skip
_NO_LIMIT_AT_ZERO = ("cpus", "cpu_shares", "mem_limit", "mem_reservation", "memswap_limit")


def service(at: At) -> ServiceDraft:
    found = fields(
        at, SERVICE, refused=SERVICE_REFUSED, required=("image",), blank=_EMPTY_SAYS_NOTHING
    )
    fold_deploy(at, found)
    found["volumes"] = _with_tmpfs(at, found)
    for key in _NO_LIMIT_AT_ZERO:
        if found.get(key) == 0:
            del found[key]
    if found.get("pids_limit") == 0:
        found["pids_limit"] = -1
    drop_host(found)

    variables: dict[str, str | None] = found.pop("environment", {})
    found["environment"] = {key: text for key, text in variables.items() if text is not None}
    inherited = tuple(key for key, text in variables.items() if text is None)
    env_files: tuple[EnvFile, ...] = found.pop("env_file", ())
    bridge_mode = _take_bridge(at, found)
    container_modes = _take_containers(found)
    return ServiceDraft(
        service=Service(**found),
        env_files=env_files,
        inherited=inherited,
        bridge_mode=bridge_mode,
        container_modes=container_modes,
    )


def _with_tmpfs(at: At, found: dict[str, Any]) -> tuple[Any, ...]:
    everything = (*found.get("volumes", ()), *found.pop("tmpfs", ()))
    seen: set[str] = set()
    for mount in everything:
        if mount.target in seen:
            refuse(at.get("volumes") or at, f"two mounts at {quoted(mount.target)}")
        seen.add(mount.target)

    return everything


def _take_bridge(at: At, found: dict[str, Any]) -> bool:
    mode = found.get("network_mode")
    if mode not in ("bridge", "default"):
        return False
    if found.get("networks"):
        refuse(at.get("networks") or at, f"networks and network_mode {mode} exclude each other")

    del found["network_mode"]
    return True


def _take_containers(found: dict[str, Any]) -> dict[str, str]:
    taken: dict[str, str] = {}
    for key in ("network_mode", "pid", "ipc"):
        mode = found.get(key) or ""
        if mode.startswith("container:"):
            taken[key] = mode.removeprefix("container:")
            del found[key]

    return taken
