"""Starts the monitor of a state root: isolated, from an interpreter that nobody can overwrite."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import anyio.to_thread

from runtime.linux import sealed
from stacker.base.errors import Failed

_LOCKED = 3
_NAME = "stacker-monitor"  # 15 bytes, the most that proc_pid_comm(5) keeps
_DEADLINE_S = 20.0


async def start_monitor(run: Path, tag: str) -> bool:
    """Start one and return once its socket listens; False when another one has the lock."""
    return await anyio.to_thread.run_sync(_start, run, tag)


def ask_to_listen(run: Path) -> None:
    """Have the monitor that holds the lock make its socket again, where it has gone."""
    with suppress(OSError, ValueError):
        pid = int((run / "monitor.lock").read_bytes()[:16])
        pidfd = os.pidfd_open(pid)
        try:
            # read after the pidfd is held: else the number might become somebody else's
            if Path(f"/proc/{pid}/comm").read_text().strip() == _NAME:
                signal.pidfd_send_signal(pidfd, signal.SIGHUP)
        finally:
            os.close(pidfd)


def _start(run: Path, tag: str) -> bool:
    path = sealed.interpreter_path()
    interpreter = sealed.sealed_file_fd(path)
    try:
        started = subprocess.run(
            # argv[0] is the interpreter's path: from it Python finds its standard library
            [path, *sealed.ISOLATED, *sealed.start_program("runtime.monitor.main"), str(run), tag],
            executable=f"/proc/self/fd/{interpreter}",
            pass_fds=(interpreter,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd="/",
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
            timeout=_DEADLINE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"monitor: start: {error}".lower()) from error
    finally:
        os.close(interpreter)

    if started.returncode == _LOCKED:
        return False
    if started.returncode != 0:
        said = started.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise Failed(f"monitor: start: {''.join(said) or f'exit code {started.returncode}'}")
    return True
