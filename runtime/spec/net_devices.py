"""`linux.netDevices` (specification 1.3): host interfaces to move in, and their names there."""

from __future__ import annotations

from runtime.errors import SpecInvalid
from runtime.spec.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.spec.fields import Fields

_LONGEST = 15
_TEMPLATE = "%d"


class NetDevice(Record):
    host_name: str
    name: str  # may hold one %d, for which the kernel puts a number


def parse_net_devices(part: Fields) -> tuple[NetDevice, ...]:
    devices: list[NetDevice] = []
    for host_name in part.values:
        where = part.path(host_name)
        check_name(host_name, where, template=False)
        name = part.within(host_name).text("name") or host_name
        check_name(name, f"{where}.name", template=True)
        devices.append(NetDevice(host_name=host_name, name=name))
    names = [device.name for device in devices if _TEMPLATE not in device.name]
    for name in names:
        if names.count(name) > 1:
            raise SpecInvalid(f"{part.at}: two devices would be named {name!r}")
    return tuple(devices)


def check_name(name: str, where: str, *, template: bool) -> None:
    """What the kernel takes for a name (net/core/dev.c: dev_valid_name)."""
    plain = name.replace(_TEMPLATE, "", 1) if template else name
    bad = {"/", ":", "%"} & set(plain) or any(char.isspace() for char in plain)
    if not name or len(name.encode("utf-8", "surrogateescape")) > _LONGEST or bad:
        raise SpecInvalid(f"{where}: {name!r} is not the name of an interface")
    if name in (".", ".."):
        raise SpecInvalid(f"{where}: {name!r} is not the name of an interface")


def matches(template: str, name: str) -> bool:
    """Whether the kernel may have made `name` of `template`."""
    before, percent, after = template.partition(_TEMPLATE)
    if not percent:
        return name == template
    middle = name[len(before) : len(name) - len(after)]
    return name.startswith(before) and name.endswith(after) and middle.isdigit()
