"""A process waited for in the foreground: signals passed on, its end turned into our exit code.

The caller became a subreaper before the fork, so the container's process is our child although we
did not fork it ourselves.
"""

from __future__ import annotations

import os

from runtime.linux.process import set_child_subreaper
from runtime.linux.signals import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

# what a terminal or a supervisor sends us and means for the program
_PASSED_ON = (
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2,
    signal.SIGCONT, signal.SIGALRM,
)  # fmt: skip


def adopt_orphans() -> None:
    set_child_subreaper(True)


def wait_for(pid: int) -> int:
    """The exit code as a shell has it: 128 and the signal when one ended it."""
    pidfd = os.pidfd_open(pid)

    def pass_on(number: int, _: FrameType | None) -> None:
        try:
            signal.pidfd_send_signal(pidfd, number)
        except ProcessLookupError:
            return

    for number in _PASSED_ON:
        signal.signal(number, pass_on)
    try:
        while True:
            ended, status = os.waitpid(-1, 0)
            if ended == pid:
                return _code(os.waitstatus_to_exitcode(status))
    finally:
        for number in _PASSED_ON:
            signal.signal(number, signal.SIG_DFL)
        os.close(pidfd)


def _code(code: int) -> int:
    return code if code >= 0 else 128 - code
