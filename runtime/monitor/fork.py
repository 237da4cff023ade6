"""Forking a child of the warm monitor, and what it sheds before it acts.

The child has a copy of everything the monitor holds: before anything else it closes every fd but
its own three, makes its memory and /proc/<pid>/fd unreadable to the containers of the same user
(PR_SET_DUMPABLE), and gives back what the monitor changed for itself: signals, umask, OOM score.
"""

from __future__ import annotations

import fcntl
import os
import resource
import signal
from collections.abc import Callable, Sequence

from runtime.linux import fds, process
from runtime.wire.messages import BUILTIN

NOT_STARTED = 127

Builtin = Callable[[list[str]], int]


class Programs:
    """Starts runtimes: the built-in one from memory, others by path."""

    def __init__(self, builtin: Builtin, open_files: tuple[int, int]) -> None:
        self._builtin = builtin
        self._open_files = open_files
        """The limit that the monitor was started with."""

    def start(
        self, argv: Sequence[str], environment: dict[str, str], stdio: tuple[int, int, int]
    ) -> tuple[int, int]:
        """Fork; return the pid and an fd that holds why the program could not be started."""
        errors = os.memfd_create("errors", os.MFD_CLOEXEC)
        try:
            pid = os.fork()
        except OSError:
            os.close(errors)
            raise
        if pid == 0:
            code = NOT_STARTED
            try:
                code = self._become(argv, environment, stdio, errors)
            except BaseException as error:
                _tell(error, argv[0])
            finally:
                os._exit(code)
        return pid, errors

    def _become(
        self,
        argv: Sequence[str],
        environment: dict[str, str],
        stdio: tuple[int, int, int],
        errors: int,
    ) -> int:
        _take_stdio((*stdio, errors))
        fds.close_range(4)
        os.set_inheritable(_ERRORS, False)
        process.set_dumpable(False)
        signal.set_wakeup_fd(-1)
        process.restore_signals()
        os.umask(0o022)
        os.chdir("/")
        os.setsid()
        _reset_oom_score()
        resource.setrlimit(resource.RLIMIT_NOFILE, self._open_files)
        if argv[0] == BUILTIN:
            os.environ.clear()
            os.environ.update(environment)
            return self._builtin(list(argv[1:]))
        os.execvpe(argv[0], list(argv), environment)
        return NOT_STARTED


_ERRORS = 3


def _take_stdio(sources: tuple[int, int, int, int]) -> None:
    # first out of the way of 0..3, each with a number of its own: one may stand for two streams
    high = [_dup_above(fd) for fd in sources]
    for target, fd in enumerate(high):
        os.dup2(fd, target)


def _dup_above(fd: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_DUPFD, 16)


def _reset_oom_score() -> None:
    with open("/proc/self/oom_score_adj", "wb", buffering=0) as score:
        score.write(b"0")


def _tell(error: BaseException, program: str) -> None:
    text = error.strerror if isinstance(error, OSError) and error.strerror else repr(error)
    message = f"{os.path.basename(program)}: {text.lower()}"
    os.write(_ERRORS, message.encode("utf-8", "replace")[:4096])
