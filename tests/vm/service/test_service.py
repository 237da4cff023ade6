"""`packaging/stacker.service` under the real systemd, from the wheel on. In this order.

The last test leaves the example up: it has to be there again after the reboot.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.supervisor import IMAGE, eventually
from tests.vm.host import EXAMPLE, INSTALLED, REPOSITORY, UNIT, curl, done, lasting_pids, unit
from tests.vm.recipe import SERVICE_VENV

INSTALLED_UNIT = Path("/etc/systemd/system", UNIT)


@pytest.fixture(scope="module", autouse=True)
def _installed(tmp_path_factory: pytest.TempPathFactory) -> None:
    wheels = tmp_path_factory.mktemp("wheel")
    pip = ("-m", "pip", "--disable-pip-version-check", "-q")
    build = ("wheel", "--no-deps", "--no-build-isolation", "-w", str(wheels), str(REPOSITORY))
    done(sys.executable, *pip, *build)
    (wheel,) = wheels.glob("stacker-*.whl")
    done(f"{SERVICE_VENV}/bin/python", *pip, "install", "--no-deps", str(wheel))
    os.symlink(f"{SERVICE_VENV}/bin/stacker", INSTALLED)
    shutil.copyfile(REPOSITORY / "packaging" / UNIT, INSTALLED_UNIT)
    done("systemctl", "daemon-reload")


def test_systemd_has_nothing_to_say_about_the_unit() -> None:
    checked = subprocess.run(
        ("systemd-analyze", "verify", "--man=no", str(INSTALLED_UNIT)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_start_waits_until_the_supervisor_is_ready() -> None:
    done("systemctl", "enable", "--now", UNIT)
    shown = unit("ActiveState", "SubState", "MainPID", "StatusText", "NRestarts")
    assert (shown["ActiveState"], shown["SubState"], shown["NRestarts"]) == (
        "active",
        "running",
        "0",
    )
    assert os.readlink(f"/proc/{shown['MainPID']}/exe").startswith("/usr/bin/python3")
    assert shown["StatusText"]
    done(INSTALLED, "info")


def test_the_watchdog_is_fed() -> None:
    assert unit("WatchdogUSec")["WatchdogUSec"] == "1min"

    def fed() -> int:
        return int(unit("WatchdogTimestampMonotonic")["WatchdogTimestampMonotonic"])

    first = fed()
    assert first > 0
    eventually(lambda: fed() > first, within=65, what="the next WATCHDOG=1")


def test_the_example_comes_up_under_the_service() -> None:
    made = subprocess.run(
        (sys.executable, REPOSITORY / "examples/busybox_image.py"), check=True, capture_output=True
    )
    subprocess.run(
        (INSTALLED, "import", "--change", 'CMD ["sh"]', "--change", "ENV PATH=/bin", "-", IMAGE),
        input=made.stdout,
        check=True,
    )
    done(INSTALLED, "up", "-d", "--wait", str(EXAMPLE))
    assert curl().startswith("Hello from a declared stack.")
    eventually(
        lambda: "1 of 1 stacks in sync" in unit("StatusText")["StatusText"], what="the status"
    )


def test_a_restart_leaves_the_containers_running() -> None:
    before, main = lasting_pids(INSTALLED), unit("MainPID")
    done("systemctl", "restart", UNIT)
    assert lasting_pids(INSTALLED) == before
    assert unit("MainPID") != main
    assert curl().startswith("Hello from a declared stack.")


def test_a_reload_is_told() -> None:
    before, main = lasting_pids(INSTALLED), unit("MainPID")
    done("systemctl", "reload", UNIT)
    eventually(lambda: unit("ActiveState")["ActiveState"] == "active", what="the reload's end")
    assert (lasting_pids(INSTALLED), unit("MainPID")) == (before, main)


def test_a_killed_supervisor_is_started_again_and_adopts() -> None:
    before, main = lasting_pids(INSTALLED), unit("MainPID")
    os.kill(int(main["MainPID"]), signal.SIGKILL)
    back = {"NRestarts": "1", "ActiveState": "active"}
    eventually(lambda: unit("NRestarts", "ActiveState") == back, what="the restart")
    assert lasting_pids(INSTALLED) == before


def test_stop_keeps_the_containers_and_start_adopts_them() -> None:
    before = lasting_pids(INSTALLED)
    done("systemctl", "stop", UNIT)
    assert unit("ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"}
    # nobody supervises, and the page is still served
    assert all(Path(f"/proc/{pid}").exists() for pid in before.values())
    assert curl().startswith("Hello from a declared stack.")
    done("systemctl", "start", UNIT)
    assert lasting_pids(INSTALLED) == before
