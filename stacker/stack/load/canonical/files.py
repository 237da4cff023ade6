"""Configs and secrets: those of the stack, and where a service sees them."""

from __future__ import annotations

import re
from typing import Any

from stacker.stack.load.canonical.decode import Decoder, Table, fields, list_of, refuse, text_of
from stacker.stack.load.canonical.pairs import labels
from stacker.stack.load.canonical.scalars import (
    boolean,
    checked_container_path,
    file_mode,
    integer,
    name,
    string,
)
from stacker.stack.load.canonical.volumes import MAX_ID
from stacker.stack.load.paths import BadPath, absolute
from stacker.stack.load.problems import quoted
from stacker.stack.load.tree import At, MapNode
from stacker.stack.model import FileMount

_VARIABLE = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")


def _file(at: At) -> str:
    try:
        return absolute(at, text_of(at))
    except BadPath as error:
        refuse(at, str(error))


def _variable(at: At) -> str:
    text = text_of(at)
    if not _VARIABLE.fullmatch(text):
        refuse(at, f"{quoted(text)} is not the name of a variable")

    return text


def _not_external(at: At) -> bool:
    if isinstance(at.node, MapNode) or boolean(at):
        refuse(at, "external is not supported: there is no store of configs and secrets")

    return False


SECRET: Table = {
    "name": name,
    "file": _file,
    "environment": _variable,
    "labels": labels,
    "external": _not_external,
}
CONFIG: Table = {**SECRET, "content": string}
REFUSED = {
    "driver": "driver is not supported",
    "driver_opts": "driver_opts is not supported",
    "template_driver": "template_driver is not supported",
}


def config(at: At) -> dict[str, Any]:
    return _one_source(at, CONFIG, ("file", "content", "environment"))


def secret(at: At) -> dict[str, Any]:
    return _one_source(at, SECRET, ("file", "environment"))


def _one_source(at: At, table: Table, sources: tuple[str, ...]) -> dict[str, Any]:
    found = fields(at, table, refused=REFUSED)
    found.pop("external", None)
    given = [source for source in sources if source in found]
    if len(given) != 1:
        refuse(at, f"exactly one of {', '.join(sources)} is needed, found {len(given)}")

    return found


_MOUNT: Table = {
    "source": string,
    "target": string,
    "uid": integer(0, MAX_ID),
    "gid": integer(0, MAX_ID),
    "mode": file_mode,
}


def file_mounts(directory: str) -> Decoder[tuple[FileMount, ...]]:
    """Where a target is relative, or missing, it is in this directory of the container."""

    def decode(at: At) -> FileMount:
        found: dict[str, Any]
        if isinstance(at.node, MapNode):
            found = fields(at, _MOUNT, required=("source",))
        else:
            found = {"source": text_of(at)}
        target: str = found.get("target") or found["source"]
        path = target if target.startswith("/") else f"{directory}/{target}"
        found["target"] = checked_container_path(at, path)
        return FileMount(**found)

    return list_of(decode)
