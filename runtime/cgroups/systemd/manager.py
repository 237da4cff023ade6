"""The few methods of org.freedesktop.systemd1.Manager that a container needs (its man page)."""

from __future__ import annotations

import os

from runtime.cgroups.systemd.address import endpoints, host_uid
from runtime.cgroups.systemd.bus import BUS, Bus, BusFault
from runtime.errors import NotSupported, RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.systemd.address import Endpoint
    from runtime.cgroups.systemd.marshal import Variant

    Properties = list[tuple[str, Variant]]

_NAME = "org.freedesktop.systemd1"
_PATH = "/org/freedesktop/systemd1"
_INTERFACE = f"{_NAME}.Manager"
_MANAGER = (_NAME, _PATH, _INTERFACE)
_PROPERTIES = (_NAME, _PATH, "org.freedesktop.DBus.Properties")
_MATCH = f"type='signal',sender='{_NAME}',interface='{_INTERFACE}',member='JobRemoved'"

_EXISTS = f"{_NAME}.UnitExists"
_ABSENT = (f"{_NAME}.NoSuchUnit", f"{_NAME}.NotLoaded")
# a unit that runs already is found again; one that failed before stands in the way of its name
_TRIES = 2


class Manager:
    """A connection to the systemd of this caller; close it, or use it in a `with`."""

    __slots__ = ("_bus", "_hears", "_speaker")

    def __init__(self, candidates: list[Endpoint] | None = None) -> None:
        """The sockets to try, where they are others than this caller's systemd's."""
        self._bus = _connect(candidates or endpoints(os.environ, caller_uid()))
        self._hears = False
        self._speaker: str | None = None

    def __enter__(self) -> Manager:
        return self

    def __exit__(self, *_: object) -> None:
        self._bus.close()

    def control_group(self) -> str:
        """The cgroup that this systemd's slices are below: empty for the system's."""
        (variant,) = self._bus.call(_PROPERTIES, "Get", "ss", _INTERFACE, "ControlGroup")
        return str(variant.value).rstrip("/")

    def start(self, unit: str, properties: Properties) -> None:
        """Make a transient unit, and wait until it is there."""
        self._hear()
        for left in reversed(range(_TRIES)):
            try:
                (job,) = self._bus.call(
                    _MANAGER,
                    "StartTransientUnit",
                    "ssa(sv)a(sa(sv))",
                    unit,
                    "fail",
                    properties,
                    [],
                )
                break
            except BusFault as error:
                if error.name != _EXISTS or not left:
                    raise
                self.reset_failed(unit)
        else:
            raise BusFault(f"unit {unit}: not made")
        result = self._await(job)
        if result != "done":
            raise BusFault(f"start the unit {unit}: the job's result is {result}")

    def stop(self, unit: str) -> None:
        """And wait until it is gone; absence is no error."""
        self._hear()
        try:
            (job,) = self._bus.call(_MANAGER, "StopUnit", "ss", unit, "replace")
        except BusFault as error:
            if error.name in _ABSENT:
                return
            raise
        self._await(job)

    def reset_failed(self, unit: str) -> None:
        """Let systemd forget a unit that failed, so that its name is free."""
        try:
            self._bus.call(_MANAGER, "ResetFailedUnit", "s", unit)
        except BusFault as error:
            if error.name not in _ABSENT:
                raise

    def update(self, unit: str, properties: Properties) -> None:
        """Until the next start of the unit, which a transient one does not have."""
        self._bus.call(_MANAGER, "SetUnitProperties", "sba(sv)", unit, True, properties)

    def _hear(self) -> None:
        """Have JobRemoved sent to us; systemd's own socket sends it unasked."""
        if self._hears:
            return
        self._hears = True
        if self._bus.endpoint.is_bus:
            # whoever may use the bus may send signals: only systemd's count
            (self._speaker,) = self._bus.call(BUS, "GetNameOwner", "s", _NAME)
            self._bus.call(BUS, "AddMatch", "s", _MATCH)
            self._bus.call(_MANAGER, "Subscribe")

    def _await(self, job: str) -> str:
        while True:
            body = self._bus.next_signal("JobRemoved", self._speaker)
            if len(body) == 4 and body[1] == job:
                return str(body[3])


def caller_uid() -> int:
    with open("/proc/self/uid_map", encoding="ascii") as file:
        return host_uid(os.geteuid(), file.read(4096))


def _connect(candidates: list[Endpoint]) -> Bus:
    reasons: list[str] = []
    for endpoint in candidates:
        try:
            return Bus(endpoint)
        except RuntimeFault as error:
            reasons.append(str(error))
        except OSError as error:
            reasons.append(f"{endpoint.path}: {(error.strerror or str(error)).lower()}")
    raise NotSupported(f"linux.cgroupsPath: no systemd answers ({'; '.join(reasons)})")
