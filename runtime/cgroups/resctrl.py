"""`linux.intelRdt`: a group of the resctrl file system (Documentation/filesystems/resctrl.rst).

`plan` is pure: what is there and what is asked for in, what to do out. `apply` does it.
"""

from __future__ import annotations

import errno
import os

from runtime.cgroups.apply import read_file, write_file
from runtime.errors import KernelFault, NotSupported, SpecInvalid, step
from runtime.spec.intel_rdt import check_group
from runtime.spec.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.spec.intel_rdt import IntelRdt
    from runtime.spec.model import Json

_FIELD = "linux.intelRdt"
# events of info/L3_MON/mon_features
_OCCUPANCY = "llc_occupancy"
_BANDWIDTH = ("mbm_total_bytes", "mbm_local_bytes")


class RdtPlan(Record):
    group: str  # below the mount point; empty: the default group
    make: bool
    schemata: tuple[str, ...]
    monitor: str = ""  # below the group's mon_groups; empty: none


def find_resctrl(mountinfo: str) -> str:
    """Where resctrl is mounted."""
    for line in mountinfo.splitlines():
        front, _, back = line.partition(" - ")
        if back.split(" ", 1)[0] == "resctrl":
            return front.split()[4]
    raise NotSupported(f"{_FIELD}: no resctrl file system is mounted on this host")


def plan(asked: IntelRdt, identity: str, existing: str | None, features: str) -> RdtPlan:
    """`existing` is the schemata of the group, None where there is no such group."""
    if asked.enable_cmt and _OCCUPANCY not in features.split():
        raise NotSupported(f"{_FIELD}.enableCMT: this host cannot monitor the cache")
    if asked.enable_mbm and not set(_BANDWIDTH) & set(features.split()):
        raise NotSupported(f"{_FIELD}.enableMBM: this host cannot monitor bandwidth")
    if existing is not None and asked.clos_id:
        _compare(asked, existing)
        schemata: tuple[str, ...] = ()
    elif existing is None and asked.clos_id and not asked.schemata:
        raise SpecInvalid(f"{_FIELD}.closID: {asked.clos_id} does not exist")
    else:
        schemata = asked.schemata
    return RdtPlan(
        group=group_name(asked, identity),
        make=existing is None,
        schemata=schemata,
        monitor=identity if asked.enable_monitoring else "",
    )


def group_name(asked: IntelRdt, identity: str) -> str:
    if not asked.clos_id:
        check_group(identity, f"{_FIELD}: the container's id")
    return "" if asked.clos_id == "/" else asked.clos_id or identity


def apply(mountpoint: str, planned: RdtPlan) -> Json:
    """Make and fill the group; gives what `remove` takes away again."""
    group = f"{mountpoint}/{planned.group}".rstrip("/")
    made: list[str] = []
    try:
        if planned.make:
            _make(group, made)
        if planned.schemata:
            _write_schemata(group, planned.schemata)
        if planned.monitor:
            _make(f"{group}/mon_groups/{planned.monitor}", made)
    except BaseException:
        remove({"made": made})
        raise
    monitor = f"{group}/mon_groups/{planned.monitor}" if planned.monitor else ""
    return {"group": group, "monitor": monitor, "made": made}


def join(applied: Json, pid: int) -> None:
    for directory in (applied["group"], applied["monitor"]):
        if directory:
            with step(f"{_FIELD}: move process {pid} into {directory}"):
                write_file(f"{directory}/tasks", str(pid))


def change(applied: Json, schemata: tuple[str, ...]) -> None:
    """Other schemata for the group that a container is in."""
    if not applied:
        raise NotSupported(f"{_FIELD}: the container was made without one and is in no group")
    _write_schemata(applied["group"], schemata)


def remove(applied: Json) -> None:
    """What was made, the last one first; absence is no error."""
    for directory in reversed(applied.get("made", [])):
        try:
            os.rmdir(directory)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise KernelFault(
                f"remove the resctrl group {directory}", error.errno or 0, error.strerror or ""
            ) from error


def enter_group(asked: IntelRdt, identity: str) -> Json:
    """All of it on this host."""
    mountpoint = find_resctrl(read_file("/proc/self/mountinfo"))
    path = f"{mountpoint}/{group_name(asked, identity)}".rstrip("/")
    features = _read_or(f"{mountpoint}/info/L3_MON/mon_features", "") or ""
    return apply(mountpoint, plan(asked, identity, _read_or(f"{path}/schemata", None), features))


def _compare(asked: IntelRdt, existing: str) -> None:
    """config-linux.md: a group that exists must allow what is asked for, and nothing else."""
    present = _domains(existing.splitlines())
    for key, value in _domains(asked.schemata).items():
        if present.get(key) != value:
            resource, domain = key
            raise SpecInvalid(
                f"{_FIELD}.closID: {asked.clos_id} exists with another schema "
                f"for {resource}, domain {domain}"
            )


def _domains(lines: tuple[str, ...] | list[str]) -> dict[tuple[str, str], str]:
    """`L3:0=07f;1=f` as {("L3", "0"): "7f", ("L3", "1"): "f"}: the kernel pads what it shows."""
    found: dict[tuple[str, str], str] = {}
    for line in lines:
        resource, _, rest = line.strip().partition(":")
        for item in rest.split(";"):
            domain, _, value = item.partition("=")
            found[resource.strip(), domain.strip()] = value.strip().lower().lstrip("0") or "0"
    return found


def _make(directory: str, made: list[str]) -> None:
    try:
        os.mkdir(directory, 0o755)
        made.append(directory)
    except FileExistsError:
        return
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise NotSupported(f"{_FIELD}: this host has no class of service left") from error
        raise KernelFault(
            f"{_FIELD}: make {directory}", error.errno or 0, error.strerror or ""
        ) from error


def _write_schemata(group: str, lines: tuple[str, ...]) -> None:
    with step(f"{_FIELD}.schemata: write {'; '.join(lines)} to {group}/schemata"):
        write_file(f"{group}/schemata", "".join(f"{line}\n" for line in lines))


def _read_or(path: str, otherwise: str | None) -> str | None:
    try:
        return read_file(path)
    except FileNotFoundError:
        return otherwise
