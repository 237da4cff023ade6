"""A container under an AppArmor profile that the host has loaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.conftest import busybox_tar, stacker
from tests.support.supervisor import IMAGE, Stacker
from tests.vm.host import done

__all__ = ["busybox_tar", "stacker"]

NAME = "stacker-vm-confined"
PROFILE = f"""
profile {NAME} flags=(attach_disconnected,mediate_deleted) {{
  file,
  signal,
  capability,
  deny /etc/denied rw,
}}
"""
STACK = f"""
name: confined
services:
  web:
    image: {IMAGE}
    command: [sleep, infinity]
    init: true
    security_opt: ["apparmor={{name}}"]
"""


@pytest.fixture
def profile(tmp_path: Path) -> Iterator[str]:
    path = tmp_path / "profile"
    path.write_text(PROFILE)
    done("apparmor_parser", "--replace", "--skip-cache", str(path))
    yield NAME
    done("apparmor_parser", "--remove", str(path))


def test_a_container_runs_confined(stacker: Stacker, profile: str) -> None:
    stacker.up(STACK.format(name=profile))
    pid = stacker.containers()["confined-web-1"]["pid"]
    assert Path(f"/proc/{pid}/attr/current").read_text().strip() == f"{profile} (enforce)"
    # and so does what is started in it later
    inside = ("exec", "-T", "-p", "confined", "web")
    assert stacker.ok(*inside, "cat", "/proc/self/attr/current").strip() == f"{profile} (enforce)"
    assert stacker(*inside, "touch", "/etc/denied").returncode == 1
    stacker.ok(*inside, "touch", "/etc/allowed")


def test_a_profile_that_is_not_loaded_is_an_error(stacker: Stacker) -> None:
    done = stacker("up", "-d", "--wait", str(stacker.write(STACK.format(name="no-such-profile"))))
    assert done.returncode != 0
    assert "apparmorProfile" in done.stderr
    assert "no-such-profile" in done.stderr
