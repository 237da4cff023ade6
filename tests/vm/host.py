"""What the tests in the guest share: stacker as it is installed there, and what systemd says."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from stacker.daemon.wiring import tag_of
from tests.support import leaks

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "stack.example.yaml"
ROOT = Path("/var/lib/stacker")
RUN = Path("/run/stacker")
INSTALLED = "/usr/bin/stacker"
UNIT = "stacker.service"


def done(*command: str, **options: Any) -> str:
    """Run, insist on success, return what was printed."""
    ended = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert ended.returncode == 0, f"{command}: {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


def curl() -> str:
    return done("curl", "--silent", "--fail", "--max-time", "30", "http://127.0.0.1:8080/")


def containers(stacker: str) -> dict[str, dict[str, Any]]:
    """The rows of the example by service."""
    printed = done(stacker, "ps", "-a", "-p", "example", "--format", "json")
    return {row["service"]: row for row in json.loads(printed)["containers"]}


def lasting_pids(stacker: str) -> dict[str, int]:
    """Of the two services that do not end by themselves."""
    rows = containers(stacker)
    return {name: rows[name]["pid"] for name in ("web", "ticker")}


def unit(*names: str) -> dict[str, str]:
    """Properties of the service, as systemd knows them."""
    printed = done("systemctl", "show", UNIT, f"--property={','.join(names)}")
    return dict(line.split("=", 1) for line in printed.splitlines())


def snapshot() -> leaks.Snapshot:
    return leaks.snapshot(str(RUN), tag_of(ROOT))


def assert_nothing_left(before: leaks.Snapshot) -> None:
    leaks.assert_none(before, str(RUN), tag_of(ROOT))


def loop_devices() -> set[str]:
    """The files of the state root that loop devices read."""
    backing = Path("/sys/block").glob("loop*/loop/backing_file")
    return {name for path in backing if (name := path.read_text().strip()).startswith(str(ROOT))}
