"""Resource limits of a container's process: `process.rlimits` of config.json.

`resolve` checks; `apply` makes system calls only, before privileges are dropped: raising a hard
limit needs CAP_SYS_RESOURCE, and where it is missing the limit is capped with a warning.
"""

from __future__ import annotations

import errno
import resource

from runtime.errors import KernelFault, SpecInvalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

# getrlimit(2); the resource module has no name for LOCKS
KINDS = {
    "RLIMIT_AS": resource.RLIMIT_AS,
    "RLIMIT_CORE": resource.RLIMIT_CORE,
    "RLIMIT_CPU": resource.RLIMIT_CPU,
    "RLIMIT_DATA": resource.RLIMIT_DATA,
    "RLIMIT_FSIZE": resource.RLIMIT_FSIZE,
    "RLIMIT_LOCKS": 10,
    "RLIMIT_MEMLOCK": resource.RLIMIT_MEMLOCK,
    "RLIMIT_MSGQUEUE": resource.RLIMIT_MSGQUEUE,
    "RLIMIT_NICE": resource.RLIMIT_NICE,
    "RLIMIT_NOFILE": resource.RLIMIT_NOFILE,
    "RLIMIT_NPROC": resource.RLIMIT_NPROC,
    "RLIMIT_RSS": resource.RLIMIT_RSS,
    "RLIMIT_RTPRIO": resource.RLIMIT_RTPRIO,
    "RLIMIT_RTTIME": resource.RLIMIT_RTTIME,
    "RLIMIT_SIGPENDING": resource.RLIMIT_SIGPENDING,
    "RLIMIT_STACK": resource.RLIMIT_STACK,
}
_UNLIMITED = 0xFFFFFFFFFFFFFFFF
_LARGEST = 0x7FFFFFFFFFFFFFFF


class Rlimit:
    __slots__ = ("hard", "name", "soft")

    def __init__(self, name: str, soft: int, hard: int) -> None:
        self.name = name
        self.soft = soft
        self.hard = hard


def resolve(rlimits: Sequence[Mapping[str, Any]] | None) -> list[Rlimit]:
    found: dict[str, Rlimit] = {}
    for index, entry in enumerate(rlimits or ()):
        name, where = entry.get("type"), f"process.rlimits[{index}]"
        if not isinstance(name, str) or name not in KINDS:
            raise SpecInvalid(f"{where}.type: {name!r} is not a resource limit")
        if name in found:
            raise SpecInvalid(f"{where}.type: {name} is given twice")
        soft, hard = _value(entry, "soft", where), _value(entry, "hard", where)
        if soft > hard:
            raise SpecInvalid(f"{where}: soft is higher than hard")
        found[name] = Rlimit(name, soft, hard)
    return list(found.values())


def apply(rlimits: Sequence[Rlimit]) -> list[str]:
    """Set them; gives a warning for each that had to be capped."""
    warnings: list[str] = []
    for limit in rlimits:
        kind = KINDS[limit.name]
        try:
            _set(kind, limit.soft, limit.hard)
        except OSError as error:
            if error.errno != errno.EPERM:
                raise _fault(limit, error) from error
            warnings.append(_cap(kind, limit))
    return warnings


def _cap(kind: int, limit: Rlimit) -> str:
    ours = resource.getrlimit(kind)[1]
    hard = _UNLIMITED if ours == resource.RLIM_INFINITY else ours
    try:
        _set(kind, min(limit.soft, hard), min(limit.hard, hard))
    except OSError as error:
        raise _fault(limit, error) from error
    return f"process.rlimits: {limit.name}: this host does not let us go above {hard}"


def _set(kind: int, soft: int, hard: int) -> None:
    try:
        resource.setrlimit(kind, (_native(soft), _native(hard)))
    except ValueError as error:
        # the module's translation of EPERM for a hard limit that may not be raised
        raise OSError(errno.EPERM, str(error)) from error


def _native(value: int) -> int:
    return resource.RLIM_INFINITY if value > _LARGEST else value


def _value(entry: Mapping[str, Any], key: str, where: str) -> int:
    value = entry.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _UNLIMITED:
        raise SpecInvalid(f"{where}.{key}: must be a number of 64 bits")
    return value


def _fault(limit: Rlimit, error: OSError) -> KernelFault:
    return KernelFault(f"set {limit.name}", error.errno or 0, error.strerror or "")
