"""Run hooks: the state on stdin, the environment config.json gives, a deadline, no shell.

Hooks are the caller's programs, run in whichever namespaces the calling process is in.
"""

from __future__ import annotations

import os
import select
import time

from runtime.errors import LaunchFailed
from runtime.linux.process import execve, restore_signals
from runtime.linux.signals import signal
from runtime.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.spec.model import Hook, Json

_OUTPUT_KEPT = 4096
_LOOK_S = 0.01


def run_hooks(
    kind: str, hooks: tuple[Hook, ...], state: Json, surroundings: tuple[str, ...] | None = None
) -> None:
    """In order; the first failure stops them (config.md, "POSIX-platform Hooks").

    `surroundings`: the environment of those that name none; the caller's unless it is given.
    """
    for index, hook in enumerate(hooks):
        failure = _run(hook, state, surroundings)
        if failure:
            raise LaunchFailed(_failed(kind, index, hook, failure))


def _failed(kind: str, index: int, hook: Hook, failure: str) -> str:
    """runc's words."""
    return f"error running {kind} hook #{index}: {hook.path}: {failure}"


def state_inside(state: Json, status: str) -> Json:
    """The state as a hook in the container's namespaces gets it: the pid is the one seen there."""
    return {**state, "status": status, "pid": os.getpid()}


def run_hooks_to_the_end(
    kind: str, hooks: tuple[Hook, ...], state: Json, warn: Callable[[str], None]
) -> None:
    """poststop: a failure is logged and the rest runs all the same (runtime.md, "Lifecycle")."""
    for index, hook in enumerate(hooks):
        failure = _run(hook, state, None)
        if failure:
            warn(_failed(kind, index, hook, failure))


def _run(hook: Hook, state: Json, surroundings: tuple[str, ...] | None) -> str:
    """Empty, or what went wrong."""
    environment = hook.env
    if environment is None:
        environment = surroundings or tuple(f"{key}={text}" for key, text in os.environ.items())
    # files in memory, not pipes: a hook that does not read, or that talks a lot, blocks nobody
    stdin, output = os.memfd_create("state"), os.memfd_create("output")
    try:
        os.write(stdin, json.dumps(state).encode("ascii"))
        os.lseek(stdin, 0, os.SEEK_SET)
        pid = os.fork()
        if pid == 0:
            _become(hook, environment, stdin, output)
        code = _wait(pid, hook.timeout)
        said = " ".join(os.pread(output, _OUTPUT_KEPT, 0).decode("utf-8", "replace").split())
    finally:
        os.close(stdin)
        os.close(output)
    if code is None:
        return f"did not end within {hook.timeout} s"
    if code == 0:
        return ""
    how = f"ended with {code}" if code > 0 else f"killed: {_name_of(-code)}"
    return how + (f": {said}" if said else "")


def _name_of(number: int) -> str:
    """As the C library says it: "bad system call" where a filter did it."""
    return (signal.strsignal(number) or f"signal {number}").lower()


def _become(hook: Hook, environment: tuple[str, ...], stdin: int, output: int) -> None:
    """In the child: it ends here, one way or the other."""
    try:
        os.setsid()
        os.dup2(stdin, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        # one by one where a filter, loaded before the hooks inside, does not know close_range(2)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        restore_signals()
        # not os.execve, whose environment is a dict: hooks get theirs entry by entry as it is
        execve(hook.path, hook.args or (hook.path,), environment)
    except BaseException as error:
        os.write(2, str(error).encode("utf-8", "replace"))
    finally:
        os._exit(127)


def _wait(pid: int, timeout: int | None) -> int | None:
    """The exit code, or None for a hook that had to be killed."""
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        # a filter, loaded before the hooks inside, that does not know the call
        return _wait_and_look(pid, timeout)
    try:
        ended, _, _ = select.select([pidfd], [], [], timeout)
        if not ended:
            # with what it started: it leads a process group, and keeps its number until waitpid
            os.killpg(pid, signal.SIGKILL)
    finally:
        os.close(pidfd)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status) if ended else None


def _wait_and_look(pid: int, timeout: int | None) -> int | None:
    deadline = None if timeout is None else time.monotonic() + timeout
    while deadline is None or time.monotonic() < deadline:
        ended, status = os.waitpid(pid, 0 if deadline is None else os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(_LOOK_S)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None
