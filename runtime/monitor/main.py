"""The monitor's start: what it takes, what it changes of itself, and then the loop.

Called by the supervisor with the run directory, through the sealed interpreter. It ends with 0 in
the first process once the socket listens (the daemon is its child), 3 when another monitor has
the lock.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gc
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable

from runtime.linux.fds import close_range
from runtime.linux.process import set_child_subreaper, set_dumpable, set_name
from runtime.monitor.clients import Clients
from runtime.monitor.fork import Builtin, Programs
from runtime.monitor.journal import Journal
from runtime.monitor.loop import Loop
from runtime.monitor.processes import Processes
from runtime.monitor.serve import Server
from runtime.wire.messages import Exited

SOCKET = "monitor.sock"
LOCKED = 3

Place = tuple[int, int] | None
"""Device and inode of the socket's file."""

_GRACE_S = 60.0
_IGNORED = (signal.SIGINT, signal.SIGPIPE, signal.SIGUSR1, signal.SIGUSR2)


def main(arguments: list[str]) -> int:
    close_range(3)
    directory = arguments[0]
    os.chdir("/")
    os.umask(0o077)
    try:
        lock = _lock(f"{directory}/monitor.lock")
    except BlockingIOError:
        sys.stderr.write("another monitor has the lock\n")
        return LOCKED
    listener, place = _listen(directory)
    builtin = _load_builtin()
    if os.fork():
        os._exit(0)

    os.setsid()
    _own_stdio(f"{directory}/monitor.log")
    set_name("stacker-monitor")
    set_dumpable(False)
    set_child_subreaper(True)
    _protect_from_oom()
    place = _run(directory, listener, place, builtin, lock)
    # somebody may have removed the lock's file, and another monitor may listen there by now
    if _identity(f"{directory}/{SOCKET}") == place:
        os.unlink(f"{directory}/{SOCKET}")
    os.close(lock)
    return 0


def _run(
    directory: str, listener: socket.socket, place: Place, builtin: Builtin, lock: int
) -> Place:
    """Serve until the end; returns which file the socket is then."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        boot_id = file.read().strip()
    loop = Loop()
    devnull = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)

    def tell(exited: Exited) -> None:
        clients.tell(exited)
        consider_end()

    processes = Processes(loop, Journal(f"{directory}/exits"), boot_id, tell)
    server = Server(loop, Programs(builtin, _raise_open_files()), processes, devnull)
    clients = Clients(listener, loop, server.serve)
    deserted = Deserted(loop, lambda: server.may_end and not server.busy and not len(clients))
    consider_end = deserted.consider
    clients.on_gone = consider_end

    def signalled(_events: int) -> None:
        numbers = os.read(woken, 4096)
        server.reap()
        # whoever stops the whole session or unit must not take the containers' parent away
        if signal.SIGTERM in numbers and not server.busy:
            loop.end()
        if signal.SIGHUP in numbers:
            listen_again()

    def listen_again() -> None:
        """The supervisor does not find the socket: somebody has removed it."""
        nonlocal place
        if _identity(f"{directory}/{SOCKET}") != place:
            replacement, place = _listen(directory)
            clients.listen_on(replacement)

    woken = _wake_by_signals()
    # only now: who reads the pid there may send it SIGHUP
    os.ftruncate(lock, 0)
    os.pwrite(lock, b"%d\n" % os.getpid(), 0)
    loop.watch(woken, signalled)
    gc.collect()
    gc.freeze()
    loop.run()
    return place


class Deserted:
    """Ends the loop when for a whole minute there was nothing to do and nobody to do it for."""

    def __init__(self, loop: Loop, is_deserted: Callable[[], bool]) -> None:
        self._loop = loop
        self._is_deserted = is_deserted
        self._round = 0

    def consider(self) -> None:
        """Something has ended or gone: look again in a while, unless more happens before."""
        self._round += 1
        seen = self._round

        def look() -> None:
            if seen == self._round and self._is_deserted():
                self._loop.end()

        if self._is_deserted():
            self._loop.after(_GRACE_S, look)


def _lock(path: str) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return fd


def _identity(path: str) -> Place:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _listen(directory: str) -> tuple[socket.socket, Place]:
    """Bind where the last monitor left its socket: the lock says that it is gone.

    Returns which file the socket is, too.
    """
    # through an fd of the directory: a socket's path has no room for more than 107 bytes
    parent = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    path = f"/proc/self/fd/{parent}/{SOCKET}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    before = os.umask(0o177)
    listener.bind(path)
    os.umask(before)
    listener.listen(64)
    place = _identity(path)
    os.close(parent)
    return listener, place


def _load_builtin() -> Builtin:
    """Import the built-in runtime now: nothing is imported later, in no child either."""
    from runtime import cli

    cli.load_all()
    return cli.main


def _own_stdio(path: str) -> None:
    null = os.open("/dev/null", os.O_RDONLY)
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for fd, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(fd, target)
    os.close(null)
    os.close(log)


def _raise_open_files() -> tuple[int, int]:
    """Four fds a container: take what the hard limit allows; return what was before."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    return before


def _protect_from_oom() -> None:
    try:
        with open("/proc/self/oom_score_adj", "wb", buffering=0) as score:
            score.write(b"-999")
    except OSError as error:
        if error.errno != errno.EACCES:  # without CAP_SYS_RESOURCE it stays as it is (proc(5))
            raise


def _wake_by_signals() -> int:
    woken, waking = socket.socketpair()
    woken.setblocking(False)
    waking.setblocking(False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: None)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.set_wakeup_fd(waking.detach(), warn_on_full_buffer=False)
    return woken.detach()
