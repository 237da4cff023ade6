"""The README's three lines, as root on a fresh Debian 12."""

from __future__ import annotations

from pathlib import Path

from tests.vm.host import REPOSITORY, assert_nothing_left, curl, done, loop_devices, snapshot

STACKER = str(REPOSITORY / ".venv/bin/stacker")


def test_up_curl_down_and_nothing_is_left() -> None:
    before = snapshot()
    shown = done("make", "up", cwd=REPOSITORY)
    assert "open http://127.0.0.1:8080/" in shown
    assert curl().startswith("Hello from a declared stack.")
    # EROFS straight from a file came with Linux 6.12: here each layer has a loop device
    assert len(loop_devices()) == 1
    assert " - erofs /dev/loop" in Path("/proc/self/mountinfo").read_text()
    done("make", "down", cwd=REPOSITORY)
    assert_nothing_left(before)
    assert loop_devices() == set()
