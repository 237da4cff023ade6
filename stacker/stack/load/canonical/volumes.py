"""`volumes` and `tmpfs` of a service: ``./data:/data:ro,z``, the long form, memory."""

from __future__ import annotations

from typing import Any

from stacker.stack.load.canonical.decode import (
    Table,
    choice,
    fields,
    list_of,
    one_or_more,
    refuse,
    text_of,
)
from stacker.stack.load.canonical.scalars import (
    boolean,
    checked_container_path,
    checked_name,
    container_path,
    file_mode,
    integer,
    size,
    string,
)
from stacker.stack.load.paths import BadPath, absolute, looks_like_path
from stacker.stack.load.problems import quoted
from stacker.stack.load.tree import At, MapNode, part
from stacker.stack.model import BindOptions, Mount, TmpfsOptions, VolumeOptions

_PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
_NO_MEANING_ON_LINUX = frozenset({"consistent", "cached", "delegated", "default"})
_TMPFS_FLAGS = frozenset(
    {"exec", "noexec", "suid", "nosuid", "dev", "nodev", "noatime", "relatime", "nodiratime"}
)
MAX_ID = 2**32 - 2
"""(uid_t) -1 means "leave it" to chown(2)."""


def mounts(at: At) -> tuple[Mount, ...]:
    return list_of(_mount)(at)


def tmpfs(at: At) -> tuple[Mount, ...]:
    return one_or_more(_tmpfs_short)(at)


def _mount(at: At) -> Mount:
    return _long(at) if isinstance(at.node, MapNode) else _short(at)


def _host_path(at: At, text: str) -> str:
    try:
        return absolute(at, text)
    except BadPath as error:
        refuse(at, str(error))


# --- short form -------------------------------------------------------------------------------


def _short(at: At) -> Mount:
    text = text_of(at)
    parts = text.split(":")
    if len(parts) > 3 or "" in parts:
        refuse(at, f"expected [SOURCE:]TARGET[:OPTIONS], found {quoted(text)}")
    if len(parts) == 1:
        return Mount(type="volume", target=_target(at, text), volume=VolumeOptions())

    source, target, *modes = parts
    words = modes[0].split(",") if modes else []
    kind = "bind" if looks_like_path(source) else "volume"
    options = _short_options(at, words, kind)
    read_only = options.pop("read_only", False)
    if kind == "bind":
        return Mount(
            type="bind",
            source=_host_path(at, source),
            target=_target(at, target),
            read_only=read_only,
            bind=BindOptions(**options),
        )

    return Mount(
        type="volume",
        source=_volume_name(at, source),
        target=_target(at, target),
        read_only=read_only,
        volume=VolumeOptions(**options),
    )


def _target(at: At, text: str) -> str:
    return checked_container_path(at, text)


def _volume_name(at: At, text: str) -> str:
    if "/" in text:
        refuse(at, f'{quoted(text)} is not the name of a volume: a path begins with "./" or "/"')

    return checked_name(at, text)


def _short_options(at: At, words: list[str], kind: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for word in words:
        if word in ("ro", "rw"):
            options["read_only"] = word == "ro"
        elif word in ("z", "Z"):
            options["selinux"] = word
        elif word == "nocopy" and kind == "volume":
            options["nocopy"] = True
        elif word in _PROPAGATIONS and kind == "bind":
            options["propagation"] = word
        elif word not in _NO_MEANING_ON_LINUX:
            refuse(at, f"unknown option {quoted(word)} of a {kind} mount")

    return options


# --- long form --------------------------------------------------------------------------------

_BIND: Table = {
    "propagation": choice(*_PROPAGATIONS),
    "create_host_path": boolean,
    "selinux": choice("z", "Z"),
}
_VOLUME: Table = {"nocopy": boolean, "subpath": string}
_TMPFS: Table = {"size": size, "mode": file_mode}
_LONG: Table = {
    "type": choice("bind", "volume", "tmpfs"),
    "source": string,
    "target": container_path,
    "read_only": boolean,
    "consistency": choice(*sorted(_NO_MEANING_ON_LINUX)),
    "bind": lambda at: fields(at, _BIND),
    "volume": lambda at: fields(at, _VOLUME),
    "tmpfs": lambda at: fields(at, _TMPFS),
}
_REFUSED = {"image": "mounting an image is not supported"}


def _long(at: At) -> Mount:
    found = fields(at, _LONG, refused=_REFUSED, required=("type", "target"))
    kind: str = found.get("type", "")
    for other in {"bind", "volume", "tmpfs"} - {kind}:
        if other in found:
            refuse(at.get(other) or at, f"{other} options on a mount of type {kind}")

    source = at.get("source") or at
    shared = {"target": found["target"], "read_only": found.get("read_only", False)}
    if kind == "bind":
        if "source" not in found:
            refuse(at, "source missing")
        options = BindOptions(**found.get("bind", {}))
        return Mount(
            type="bind", source=_host_path(source, found["source"]), bind=options, **shared
        )
    if kind == "tmpfs":
        if "source" in found:
            refuse(source, "a tmpfs has no source")
        return Mount(type="tmpfs", tmpfs=TmpfsOptions(**found.get("tmpfs", {})), **shared)

    name = _volume_name(source, found["source"]) if "source" in found else None
    return Mount(type="volume", source=name, volume=_volume_options(at, found), **shared)


def _volume_options(at: At, found: dict[str, Any]) -> VolumeOptions:
    options = VolumeOptions(**found.get("volume", {}))
    subpath = options.subpath
    if subpath is not None and (subpath.startswith("/") or ".." in subpath.split("/")):
        refuse(at, f"subpath {quoted(subpath)} leads out of the volume")

    return options


# --- tmpfs ------------------------------------------------------------------------------------

_TMPFS_VALUES: Table = {
    "size": size,
    "mode": file_mode,
    "uid": integer(0, MAX_ID),
    "gid": integer(0, MAX_ID),
}


def _tmpfs_short(at: At) -> Mount:
    """``/run:size=64m,mode=1777,exec``."""
    target, _, rest = text_of(at).partition(":")
    values: dict[str, Any] = {}
    flags: list[str] = []
    read_only = False
    for option in filter(None, rest.split(",")):
        name, _, value = option.partition("=")
        if name in _TMPFS_VALUES:
            values[name] = _TMPFS_VALUES[name](part(at, value))
        elif option in ("ro", "rw"):
            read_only = option == "ro"
        elif option in _TMPFS_FLAGS:
            flags.append(option)
        else:
            refuse(at, f"unknown option {quoted(option)} of a tmpfs")

    options = TmpfsOptions(**values, options=tuple(flags))
    return Mount(type="tmpfs", target=_target(at, target), read_only=read_only, tmpfs=options)
