"""Configs and secrets lie in memory alone."""

from __future__ import annotations

import os
import signal

import pytest

from runtime.linux import mount
from tests.support.supervisor import IMAGE, Stacker, eventually

pytestmark = pytest.mark.root


def test_a_secret_reaches_no_disk_when_its_tmpfs_was_unmounted(stacker: Stacker) -> None:
    stacker.write("hush", "secret.txt")
    stacker.up(f"""
name: secret
services:
  a:
    image: {IMAGE}
    command: [sleep, infinity]
    restart: always
    secrets: [word]
secrets:
  word:
    file: ./secret.txt
""")
    contents = stacker.run / "contents"
    mount.umount2(str(contents), mount.MNT_DETACH)
    assert list(contents.iterdir()) == []
    stacker.up((stacker.directory / "stack.yaml").read_text(), "--force-recreate")
    assert contents.is_mount()
    assert stacker.ok("exec", "-p", "secret", "a", "cat", "/run/secrets/word") == "hush"
    mount.umount2(str(contents), mount.MNT_DETACH)
    assert list(contents.iterdir()) == []

    pid = stacker.containers()["secret-a-1"]["pid"]
    os.kill(pid, signal.SIGKILL)
    eventually(
        lambda: stacker.containers()["secret-a-1"]["pid"] not in (None, pid), what="a restart"
    )
