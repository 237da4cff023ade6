"""`linux.intelRdt`: which resctrl group a container is in, and what the group may use. Pure."""

from __future__ import annotations

from runtime.errors import SpecInvalid
from runtime.spec.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.spec.fields import Fields

# directories of resctrl itself (kernel: Documentation/filesystems/resctrl.rst)
_RESERVED = frozenset(("", ".", "..", "info", "mon_groups", "mon_data"))


class IntelRdt(Record):
    clos_id: str = ""  # empty: the container's id; "/" is the default group
    schemata: tuple[str, ...] = ()  # lines, in the order they are written in
    enable_cmt: bool = False
    enable_mbm: bool = False
    enable_monitoring: bool = False


def parse_intel_rdt(part: Fields) -> IntelRdt:
    clos_id = part.text("closID")
    if part.values.get("closID") is not None and clos_id != "/":
        check_group(clos_id, part.path("closID"))
    return IntelRdt(
        clos_id=clos_id,
        schemata=(*_cache_and_bandwidth(part), *_lines(part)),
        enable_cmt=part.flag("enableCMT"),
        enable_mbm=part.flag("enableMBM"),
        enable_monitoring=part.flag("enableMonitoring"),
    )


def check_group(name: str, where: str) -> None:
    """A name becomes a directory of resctrl: one component, and none of its own."""
    if name in _RESERVED or "/" in name or "\n" in name:
        raise SpecInvalid(f"{where}: {name!r} is not the name of a group")


def _cache_and_bandwidth(part: Fields) -> tuple[str, ...]:
    """`l3CacheSchema`, whose bandwidth lines give way to the one of `memBwSchema`."""
    cache, bandwidth = part.text("l3CacheSchema"), part.text("memBwSchema")
    if bandwidth and (not bandwidth.startswith("MB:") or "\n" in bandwidth):
        raise SpecInvalid(f"{part.path('memBwSchema')}: {bandwidth!r} is not one line of MB:")
    lines = [line for line in cache.split("\n") if line]
    if bandwidth:
        lines = [line for line in lines if not line.startswith("MB:")] + [bandwidth]
    return tuple(lines)


def _lines(part: Fields) -> tuple[str, ...]:
    """A list of lines (specification 1.3)."""
    lines = part.texts("schemata")
    for index, line in enumerate(lines):
        if not line.strip() or "\n" in line or ":" not in line:
            raise SpecInvalid(f"{part.path('schemata')}[{index}]: {line!r} is not a schema")
    return lines
