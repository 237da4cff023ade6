"""Carry out planned writes in one directory of a cgroup: the only place that writes limits."""

from __future__ import annotations

import errno
import os

from runtime.errors import KernelFault, NotSupported, SpecInvalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.writes import Write

_RESOURCES = "linux.resources"

# what a value gets that contradicts another one of the same controller: which order is right
# depends on the values of now (a memory limit must not pass the one with swap, a quota not its
# parent's share), so a write refused like this has its turn again after the others
_OUT_OF_TURN = (errno.EINVAL, errno.EBUSY, errno.ERANGE)

# what a kernel without the feature, or a host that keeps it for itself, answers
_CANNOT = (errno.EOPNOTSUPP, errno.EPERM, errno.EACCES, errno.EROFS)


def apply(directory: str, planned: list[Write]) -> list[str]:
    """Write; give what was not taken as warnings. Raises when a required value is refused."""
    warnings: list[str] = []
    waiting: list[Write] = []
    for item in planned:
        refusal = _try(directory, item)
        if refusal is None:
            continue
        if refusal.errno in _OUT_OF_TURN:
            waiting.append(item)
        else:
            warnings += _give_up(directory, item, refusal)
    for item in waiting:
        refusal = _try(directory, item)
        if refusal is not None:
            warnings += _give_up(directory, item, refusal)
    return warnings


def write_file(path: str, value: str) -> None:
    """One write(2): cgroup files take a value whole or not at all."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.write(descriptor, value.encode("utf-8", "surrogateescape"))
    finally:
        os.close(descriptor)


def read_file(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read().strip()


def _try(directory: str, item: Write) -> OSError | None:
    try:
        if item.not_below is not None:
            _check_not_below(directory, item)
        value = item.value
        if item.keeps_first:
            value = f"{read_file(f'{directory}/{item.file}').split()[0]} {value}"
        write_file(f"{directory}/{item.file}", value)
    except FileNotFoundError as error:
        return error if item.otherwise is None else _try(directory, item.otherwise)
    except OSError as error:
        return error
    return None


def _check_not_below(directory: str, item: Write) -> None:
    usage = read_file(f"{directory}/{item.not_below}")
    if item.value.isdigit() and int(item.value) < int(usage):
        raise SpecInvalid(
            f"{_RESOURCES}.{item.field}: {item.value} is lower than what is in use, {usage}"
        )


def _give_up(directory: str, item: Write, refusal: OSError) -> list[str]:
    """A warning for what may be missing, an error for the rest."""
    where = f"{_RESOURCES}.{item.field}"
    number = refusal.errno or 0
    if not item.required and number in (errno.ENOENT, *_OUT_OF_TURN, *_CANNOT):
        return [f"{where}: this kernel does not take {item.file}"]
    if number == errno.ENOENT:
        raise NotSupported(f"{where}: {directory} has no {item.file}") from refusal
    if number == errno.EROFS:
        raise NotSupported(f"{where}: {directory} is on a read-only mount") from refusal
    reason = os.strerror(number)
    if number == errno.EBUSY and item.usage is not None:
        reason += f" (in use: {read_file(f'{directory}/{item.usage}')})"
    raise KernelFault(f"{where}: write {item.value} to {item.file}", number, reason) from refusal
