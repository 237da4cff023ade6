"""A process waited for in the foreground: signals passed on, its end turned into our exit code.

The caller became a subreaper before the fork, so the container's process is our child although we
did not fork it ourselves. Meanwhile its terminal is carried to and from our own, and its notify
socket to the service manager's.
"""

from __future__ import annotations

import os
import select

from runtime.linux.process import set_child_subreaper
from runtime.linux.signals import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    from runtime.commands.notify import NotifySocket
    from runtime.commands.relay import Relay

# what a terminal or a supervisor sends us and means for the program
_PASSED_ON = (
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2,
    signal.SIGCONT, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO, signal.SIGPWR,
    *range(signal.SIGRTMIN, signal.SIGRTMAX + 1),
)  # fmt: skip
# how soon a terminal that nobody inside holds any more is looked at again, milliseconds
_LOOK_AGAIN = 100


def adopt_orphans() -> None:
    set_child_subreaper(True)


def leave_orphans() -> None:
    """--no-subreaper: what is ours already stays so, later orphans go elsewhere."""
    set_child_subreaper(False)


class Signals:
    """Those for the program, while the block runs: none ends us and leaves a container behind.

    What comes before there is a program to tell is kept, and told it then.
    """

    def __init__(self) -> None:
        self._pidfd = -1
        self._kept: list[int] = []

    def __enter__(self) -> Signals:
        for number in _PASSED_ON:
            signal.signal(number, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        for number in _PASSED_ON:
            signal.signal(number, signal.SIG_DFL)

    def go_to(self, pidfd: int) -> None:
        self._pidfd = pidfd
        while self._kept:
            self._send(self._kept.pop(0))

    def _heard(self, number: int, _: FrameType | None) -> None:
        if self._pidfd < 0:
            self._kept.append(number)
        else:
            self._send(number)

    def _send(self, number: int) -> None:
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            return


def wait_for(
    pid: int,
    signals: Signals,
    relay: Relay | None = None,
    notify: NotifySocket | None = None,
) -> int:
    """The exit code as a shell has it: 128 and the signal when one ended it."""
    # open until we end: signals still come for it
    pidfd = os.pidfd_open(pid)
    signals.go_to(pidfd)
    if relay is not None:
        relay.begin()
    if relay is not None or notify is not None:
        _attend(pidfd, relay, notify)
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            return _code(os.waitstatus_to_exitcode(status))


def _attend(pidfd: int, relay: Relay | None, notify: NotifySocket | None) -> None:
    """Until the process has ended."""
    ended = False
    while not ended:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        if notify is not None:
            poll.register(notify.fileno(), select.POLLIN)
        for fd, events in relay.wanted().items() if relay is not None else ():
            poll.register(fd, events)
        for fd, _ in poll.poll(_LOOK_AGAIN if relay is not None and relay.hung_up else None):
            if fd == pidfd:
                ended = True
            elif notify is not None and fd == notify.fileno() and notify.is_ready():
                # the service's main process is still ours: no MAINPID
                notify.tell()
                notify.close()
                notify = None
        if relay is not None:
            relay.carry()
    if relay is not None:
        relay.finish()


def _code(code: int) -> int:
    return code if code >= 0 else 128 - code
