"""The three runtimes that the lifecycle must look the same on."""

from __future__ import annotations

import shutil
from pathlib import Path

NAMES = ("builtin", "crun", "runc")

_CRUN_WITHOUT_UNIFIED = """#!/bin/sh
# crun 1.8 refuses a hybrid host whose version 2 tree holds a controller: it gets to see none
exec unshare -m sh -c '
  if [ -d /sys/fs/cgroup/unified ]; then mount -t tmpfs none /sys/fs/cgroup/unified; fi
  exec {crun} "$@"' crun "$@"
"""


def word_for(name: str, directory: Path) -> str:
    """What a stack file or `--runtime` says to get this runtime on this host."""
    if name != "crun" or not Path("/sys/fs/cgroup/unified").is_dir():
        return name
    script = directory / "crun"
    script.write_text(_CRUN_WITHOUT_UNIFIED.format(crun=shutil.which("crun")))
    script.chmod(0o755)
    return str(script)
