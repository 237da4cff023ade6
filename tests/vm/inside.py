"""What the guest does: the tests before the reboot, the reboot, the tests after it, the end.

Started by stacker-vm.service at each boot, with the virtio port as its output. Lines that begin
with `@` are for the host; the others are for whoever reads.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.vm.recipe import TESTS_VENV

HERE = Path("/var/lib/stacker-vm")
REBOOTED = HERE / "rebooted"
RESULTS = HERE / "results"
CHOSEN = Path(".vm-tests")
"""What the host wants run in the place of SUITES, a path a line."""

SUITES = (
    "tests/integration/runtime/cgroups",
    "tests/integration/runtime/security/test_applied.py",
    "tests/integration/runtime/test_lifecycle.py",
    "tests/integration/runtime/test_inside.py",
    "tests/integration/runtime/test_update.py",
    "tests/integration/runtime/test_events.py",
    "tests/integration/runtime/test_rootless.py",
    "tests/integration/runtime/test_user_namespace.py",
    "tests/conformance/test_resources.py",
    "tests/integration/mounts",
    "tests/integration/layers/test_changesets.py",
    "tests/integration/images/test_verity.py",
)
"""Tests that run everywhere, here on Linux 6.1 with cgroup v2, systemd and AppArmor."""

CHOICE = ("-k", "not crun and not runc and not repeated_opaque_markers and not 5.10")
"""The emulated processor is for the runtime that is built in, and for what differs on this kernel:
the others, and what only asks for time, run everywhere else."""

NETWORKED = (
    "tests/vm/guest",
    "tests/scenarios/test_example.py",
    "tests/scenarios/test_layers.py",
)
"""Beside them, on the other processor. Only these touch links, ports and sysctls: each other's
leaks they would report."""

SLOWNESS = "10"
TEST_TIMEOUT_S = "900"
_TALKING = threading.Lock()


def main() -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    say(f"@boot {os.uname().release}")
    if REBOOTED.exists():
        stage("rebooted", "tests/vm/reboot")
        keep_journal("second")
        run("tar", "-cf", "/dev/disk/by-id/virtio-results", "-C", str(RESULTS), ".")
        os.sync()
        say("@done")
        run("systemctl", "poweroff")
        return
    chosen = tuple(CHOSEN.read_text().split()) if CHOSEN.exists() else ()
    with ThreadPoolExecutor() as both:
        both.submit(stage, "suites", *(chosen or (*CHOICE, *SUITES)))
        both.submit(stage, "guest", *(NETWORKED[:1] if chosen else NETWORKED))
    stage("service", "tests/vm/service")
    keep_journal("first")
    REBOOTED.touch()
    os.sync()
    say("@reboot")
    run("systemctl", "reboot")


def stage(name: str, *tests: str) -> None:
    began = time.monotonic()
    environment = {"STACKER_TEST_SLOWNESS": SLOWNESS, "STACKER_VM": "1", "CI": "1"}
    process = subprocess.Popen(
        (
            *(f"{TESTS_VENV}/bin/python", "-m", "pytest", "-v", "-p", "no:cacheprovider"),
            *("--durations", "8", "--timeout", TEST_TIMEOUT_S),
            *(f"--junit-xml={RESULTS}/{name}.xml", *tests),
        ),
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        say(line.rstrip("\n"))
    code = process.wait()
    say(f"@ended {name} {code} {time.monotonic() - began:.0f}")


def keep_journal(boot: str) -> None:
    with (RESULTS / f"journal-{boot}.txt").open("w") as file:
        subprocess.run(("journalctl", "-b", "-o", "short-precise"), stdout=file, check=False)


def run(*command: str) -> None:
    subprocess.run(command, check=True)


def say(line: str) -> None:
    with _TALKING:
        print(line, flush=True)


if __name__ == "__main__":
    main()
