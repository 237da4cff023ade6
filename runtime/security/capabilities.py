"""Capabilities of a container's process: `process.capabilities` of config.json.

`resolve` is called before the container's root is entered; the other two make system calls only.
The order around setuid matters (capabilities(7)): `apply_bounding` while still root, then
PR_SET_KEEPCAPS and setuid, then `apply`.
"""

from __future__ import annotations

from runtime.errors import KernelFault, SpecInvalid
from runtime.linux import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

# in the order of their numbers (kernel: include/uapi/linux/capability.h)
NAMES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
)
NUMBERS = {name: number for number, name in enumerate(NAMES)}

SETS = ("bounding", "effective", "permitted", "inheritable", "ambient")

_HIGHEST_POSSIBLE = 63


class CapabilitySets:
    """The five sets as bit masks, cut to what can be granted here."""

    __slots__ = ("ambient", "bounding", "effective", "inheritable", "last", "permitted")

    def __init__(
        self,
        *,
        bounding: int,
        effective: int,
        permitted: int,
        inheritable: int,
        ambient: int,
        last: int,
    ) -> None:
        self.bounding = bounding
        self.effective = effective
        self.permitted = permitted
        self.inheritable = inheritable
        self.ambient = ambient
        self.last = last
        """The kernel's highest capability; also one that has no name here is dropped."""


def resolve(
    capabilities: Mapping[str, Any] | None, *, all_held: bool = False
) -> tuple[CapabilitySets, list[str]]:
    """The sets, and a warning for each name that is unknown or that we do not have to give.

    `all_held`: the process will be in a user namespace of its own, where it has them all.

    The specification wants such names logged, not refused. None and {} leave nothing.
    """
    wanted: Mapping[str, Any] = {} if capabilities is None else capabilities
    last = _last_capability()
    held = (1 << last + 1) - 1 if all_held else process.capget()[1]
    warnings: list[str] = []
    masks = {key: _mask(wanted, key, warnings) for key in SETS}
    for key in ("bounding", "effective", "permitted"):
        masks[key] = _cut(key, masks[key], held, "the runtime does not have it", warnings)
    for key in ("effective", "ambient"):
        masks[key] = _cut(key, masks[key], masks["permitted"], "it is not permitted", warnings)
    masks["inheritable"] = _cut(
        "inheritable", masks["inheritable"], held, "the runtime does not have it", warnings
    )
    masks["ambient"] = _cut(
        "ambient", masks["ambient"], masks["inheritable"], "it is not inheritable", warnings
    )
    return CapabilitySets(**masks, last=last), warnings


def apply_bounding(sets: CapabilitySets) -> None:
    """Drop all that the bounding set does not keep: for good, also for setuid programs."""
    for number in range(sets.last + 1):
        if not sets.bounding >> number & 1 and process.prctl(process.PR_CAPBSET_READ, number):
            _try(f"drop {_name(number)} from the bounding set", process.PR_CAPBSET_DROP, number)


def apply(sets: CapabilitySets) -> None:
    """Set the other four; after setuid."""
    _try("clear the ambient set", process.PR_CAP_AMBIENT, process.PR_CAP_AMBIENT_CLEAR_ALL)
    _call(
        "set the capabilities",
        lambda: process.capset(sets.effective, sets.permitted, sets.inheritable),
    )
    for number in range(sets.last + 1):
        if sets.ambient >> number & 1:
            _try(
                f"raise {_name(number)} in the ambient set",
                process.PR_CAP_AMBIENT,
                process.PR_CAP_AMBIENT_RAISE,
                number,
            )


def _mask(wanted: Mapping[str, Any], key: str, warnings: list[str]) -> int:
    names: Any = wanted.get(key) or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):  # pyright: ignore[reportUnknownVariableType]
        raise SpecInvalid(f"process.capabilities.{key}: must be an array of strings")
    mask = 0
    for name in names:  # pyright: ignore[reportUnknownVariableType]
        number = NUMBERS.get(str(name))  # pyright: ignore[reportUnknownArgumentType]
        if number is None:
            warnings.append(f"process.capabilities.{key}: {name} is not known")
        else:
            mask |= 1 << number
    return mask


def _cut(key: str, mask: int, allowed: int, reason: str, warnings: list[str]) -> int:
    lost = mask & ~allowed
    warnings.extend(
        f"process.capabilities.{key}: {name} cannot be granted: {reason}"
        for name, number in NUMBERS.items()
        if lost >> number & 1
    )
    return mask & allowed


def _last_capability() -> int:
    """The kernel says EINVAL to the first number it does not have: no file is needed."""
    last = len(NAMES) - 1
    while last < _HIGHEST_POSSIBLE and _exists(last + 1):
        last += 1
    while last > 0 and not _exists(last):
        last -= 1
    return last


def _exists(number: int) -> bool:
    try:
        process.prctl(process.PR_CAPBSET_READ, number)
    except OSError:
        return False
    return True


def _name(number: int) -> str:
    return NAMES[number] if number < len(NAMES) else f"capability {number}"


def _try(step: str, option: int, *arguments: int) -> None:
    _call(step, lambda: process.prctl(option, *arguments))


def _call(step: str, call: Callable[[], object]) -> None:
    try:
        call()
    except OSError as error:
        raise KernelFault(step, error.errno or 0, error.strerror or "") from error
