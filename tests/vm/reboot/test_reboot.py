"""After the reboot: nobody has typed anything, and the example is up. In this order."""

from __future__ import annotations

from pathlib import Path

from tests.support.supervisor import eventually
from tests.vm.host import (
    INSTALLED,
    UNIT,
    containers,
    curl,
    done,
    loop_devices,
    snapshot,
    unit,
)


def test_the_service_has_come_up_with_the_machine() -> None:
    eventually(lambda: unit("ActiveState")["ActiveState"] == "active", what="the service")
    assert unit("NRestarts")["NRestarts"] == "0"


def test_the_example_is_up_and_healthy_again() -> None:
    def up() -> bool:
        rows = containers(INSTALLED)
        return rows["web"]["health"] == "healthy" and rows["ticker"]["status"] == "running"

    eventually(up, within=30, what="the example")
    assert curl().startswith("Hello from a declared stack.")


def test_the_machine_went_down_without_waiting_for_anyone() -> None:
    """No service had to be killed for having overrun its time to stop."""
    told = done("journalctl", "--boot=-1", "--no-pager", "-o", "cat")
    assert [line for line in told.splitlines() if "stop-sigterm' timed out" in line] == []


def test_no_unit_has_failed() -> None:
    assert done("systemctl", "list-units", "--failed", "--plain", "--no-legend") == ""


def test_down_and_stop_leave_nothing() -> None:
    done(INSTALLED, "down", "-v", "-p", "example")
    eventually(lambda: not loop_devices(), what="the end of the loop devices")
    done("systemctl", "stop", UNIT)
    left = snapshot()
    assert (left.mounts, left.cgroups, left.links, left.tables) == (frozenset(),) * 4
    assert not Path("/run/stacker/lock").exists() or unit("MainPID")["MainPID"] == "0"
