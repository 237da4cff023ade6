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


def test_contents_of_a_container_that_nobody_knows_are_swept_at_the_start(stacker: Stacker) -> None:
    """What a declared stack has from the environment stays."""
    stacker.environment["TOKEN"] = "t"
    stacker.up(
        f"""
        name: kept
        secrets: {{token: {{environment: TOKEN}}}}
        services:
          a: {{image: {IMAGE}, command: sleep infinity, init: true, secrets: [token]}}
        """
    )
    contents = stacker.run / "contents"
    before = {path.name for path in contents.iterdir()}
    assert "values-kept" in before
    for lost in ("f" * 64, "values-gone"):
        (contents / lost).mkdir()
        (contents / lost / "secret").write_text("x")
    os.kill(stacker.supervisor_pid(), signal.SIGKILL)
    stacker.up((stacker.directory / "stack.yaml").read_text())
    assert {path.name for path in contents.iterdir()} == before
