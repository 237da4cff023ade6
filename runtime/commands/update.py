"""update: other limits for a container that runs, by single flags or by a document.

What is given replaces what config.json said, section by section; the merged configuration is
stored, so that whatever reads it later sees the limits that hold.
"""

from __future__ import annotations

import sys

from runtime.cgroups import resctrl
from runtime.cgroups.both import pids
from runtime.commands.arguments import Flag, UsageError, parse_signed
from runtime.commands.lookup import find
from runtime.container import directory
from runtime.container.status import require
from runtime.errors import RuntimeFault, SpecInvalid
from runtime.spec.read import LARGEST, read_file, spec_of
from runtime.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.writes import Section
    from runtime.commands.arguments import Arguments
    from runtime.commands.context import Context
    from runtime.commands.lookup import Found
    from runtime.spec.model import Json

_BYTES, _SIGNED, _NUMBER, _TEXT = "BYTES", "N, or -1 for none", "N", "TEXT"
_MOST = 2**63 - 1
# flag -> (section of linux.resources, field, what it takes, help)
_LIMITS = {
    "memory": ("memory", "limit", _BYTES, "memory limit"),
    "memory-reservation": ("memory", "reservation", _BYTES, "memory kept under pressure"),
    "memory-swap": ("memory", "swap", _BYTES, "memory and swap together; -1: no limit"),
    "kernel-memory": ("memory", "kernel", _BYTES, "kernel memory (cgroup version 1)"),
    "kernel-memory-tcp": ("memory", "kernelTCP", _BYTES, "TCP buffers (cgroup version 1)"),
    "cpu-period": ("cpu", "period", _NUMBER, "period of the hard limit, microseconds"),
    "cpu-quota": ("cpu", "quota", _SIGNED, "processor time in a period, microseconds"),
    "cpu-burst": ("cpu", "burst", _NUMBER, "time that may be saved up, microseconds"),
    "cpu-share": ("cpu", "shares", _NUMBER, "weight against others"),
    "cpu-rt-period": ("cpu", "realtimePeriod", _NUMBER, "period of real-time tasks"),
    "cpu-rt-runtime": ("cpu", "realtimeRuntime", _SIGNED, "their time in it"),
    "cpu-idle": ("cpu", "idle", _NUMBER, "1: only when nothing else wants to run"),
    "cpuset-cpus": ("cpu", "cpus", _TEXT, "processors to run on"),
    "cpuset-mems": ("cpu", "mems", _TEXT, "memory nodes to use"),
    "pids-limit": ("pids", "limit", _SIGNED, "most processes and threads"),
    "blkio-weight": ("blockIO", "weight", _NUMBER, "block I/O weight, 10 to 1000"),
}
# flag -> field of linux.intelRdt
_RDT = {"l3-cache-schema": "l3CacheSchema", "mem-bw-schema": "memBwSchema"}

FLAGS = (
    Flag("resources", "r", "a document with linux.resources; - is stdin", "FILE"),
    *(Flag(name, "", text, kind) for name, (_, _, kind, text) in _LIMITS.items()),
    Flag("l3-cache-schema", "", "Intel RDT: parts of the level 3 cache", _TEXT),
    Flag("mem-bw-schema", "", "Intel RDT: memory bandwidth", _TEXT),
)
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4, "p": 1024**5}


def run(context: Context, arguments: Arguments) -> int:
    identity = arguments.operand("the container's id")
    asked = asked_resources(arguments)
    found = find(context, identity)
    require("update", identity, found.status)
    folder = directory.path_of(context.root, identity)
    path = f"{folder}/{directory.CONFIG_FILE}"
    document: Json = json.loads(read_file(path))
    linux: Json = document.setdefault("linux", {}) or {}
    before: Json = linux.get("resources") or {}
    if _asks_for_no_memory_limit(asked) and "swap" in (before.get("memory") or {}):
        # a limit on memory and swap together means nothing without one on memory: it goes as well
        asked["memory"] = {"swap": -1, **asked["memory"]}
    merged = merge(before, asked)
    document["linux"] = {**linux, "resources": merged}
    schemata: Json = {field: arguments.text(flag) for flag, field in _RDT.items()}
    schemata = {field: text for field, text in schemata.items() if text}
    if schemata:
        document["linux"]["intelRdt"] = {**(linux.get("intelRdt") or {}), **schemata}
    text = json.dumps(document).encode()
    spec_of(text, path)
    if schemata:
        resctrl.change(found.state.rdt, tuple(schemata.values()))
    version = document["ociVersion"]
    changed = pids.as_of(version, {name: merged[name] for name in asked})
    _apply(context, found, changed, pids.as_of(version, before))
    directory.replace_config(folder, text)
    return 0


def _asks_for_no_memory_limit(asked: Json) -> bool:
    memory: Json = asked.get("memory") or {}
    return isinstance(memory, dict) and memory.get("limit") == -1  # pyright: ignore[reportUnnecessaryIsInstance]


def asked_resources(arguments: Arguments) -> Json:
    """The sections that change. As in runc, a document makes all single flags void."""
    if arguments.given("resources"):
        return _read_resources(arguments.text("resources"))
    asked: Json = {}
    for name, (section, field, kind, _) in _LIMITS.items():
        text = arguments.text(name)
        if text:
            asked.setdefault(section, {})[field] = _value(f"--{name}", text, kind)
    if not asked and not any(arguments.text(flag) for flag in _RDT):
        raise UsageError("update needs --resources or a limit")
    return asked


def merge(before: Json, asked: Json) -> Json:
    """Field by field in a section; lists and numbers are replaced."""
    sections: Json = {
        name: {**before[name], **value}
        for name, value in asked.items()
        if isinstance(value, dict) and isinstance(before.get(name), dict)
    }
    return {**before, **asked, **sections}


def parse_bytes(what: str, text: str) -> int:
    """A number of bytes, or with a unit of 1024: 512k, 64M, 1GiB; -1 for no limit."""
    if text == "-1":
        return -1
    lower = text.lower().removesuffix("ib").removesuffix("b")
    digits = lower.rstrip("kmgtp")
    unit = _UNITS.get(lower[len(digits) :])
    if unit is None:
        raise UsageError(f"{what}: {text!r} is not a number of bytes")
    return parse_signed(what, digits, 0, _MOST // unit) * unit


def _value(what: str, text: str, kind: str) -> int | str:
    if kind == _TEXT:
        return text
    if kind == _BYTES:
        return parse_bytes(what, text)
    return parse_signed(what, text, -_MOST if kind == _SIGNED else 0, _MOST)


def _read_resources(path: str) -> Json:
    text = sys.stdin.buffer.read(LARGEST + 1) if path == "-" else read_file(path, pipe=True)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SpecInvalid(f"--resources {path}: not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise SpecInvalid(f"--resources {path}: expected an object")
    return document  # pyright: ignore[reportUnknownVariableType]


def _apply(context: Context, found: Found, changed: Section, before: Section) -> None:
    """When a limit is refused, what had one before gets it back."""
    try:
        for warning in found.cgroup.apply(changed):
            context.report.warn(warning)
    except RuntimeFault:
        try:
            found.cgroup.apply({name: before[name] for name in changed if name in before})
        except RuntimeFault as error:
            context.report.warn(f"container {found.state.id}: limits are not as before: {error}")
        raise
