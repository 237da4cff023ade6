"""An interactive shell in a container: ``stacker exec`` gets the terminal until it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from stacker.tui.view import Target

BEST_SHELL = "if command -v bash >/dev/null 2>&1; then bash; else sh; fi; exit 0"
"""Ends with 0 whatever was typed last: another code says that it did not begin."""


def run_shell(target: Target, socket: str) -> str | None:
    """Let the user work in the container; return what went wrong, if it did not even begin."""
    command = [
        *(sys.executable, "-P", "-m", "stacker", "exec", "-i", "-t"),
        *("--run", _run_directory(socket), "-p", target.stack, "--index", str(target.index)),
        *(target.service, "sh", "-c", BEST_SHELL),
    ]
    sys.stdout.write(f"shell in {target}; exit or ctrl-d comes back\n")
    sys.stdout.flush()
    # ctrl-c is the shell's: until exec has made the terminal raw it would end this program
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        done = subprocess.run(command, stderr=subprocess.PIPE, check=False)
    finally:
        signal.signal(signal.SIGINT, before)
    if done.returncode == 0:
        return None
    said = done.stderr.decode(errors="replace").strip().removeprefix("stacker: ")
    return said or f"{target}: sh cannot be run ({done.returncode})"


def _run_directory(socket: str) -> str:
    """RUN/api/stacker.sock → RUN"""
    return os.path.dirname(os.path.dirname(socket))
