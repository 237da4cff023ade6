"""Which supervisor is meant, whether it runs, and starting one when asked.

Where things are: ``--root``/``STACKER_ROOT`` holds what lasts, ``--run``/``STACKER_RUN`` what ends
with the boot; the socket is ``api/stacker.sock`` under the latter.
"""

from __future__ import annotations

import os

from stacker.base.errors import Denied, Unavailable
from stacker.client import http
from stacker.client.api import Supervisor

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess

DEFAULT_ROOT = "/var/lib/stacker"
DEFAULT_RUN = "/run/stacker"
SOCKET = "api/stacker.sock"
LOG = "supervisor.log"
START_TIMEOUT_S = 30.0
LOCK_HELD = 75
"""Exit code of a supervisor that found another one: sysexits.h's EX_TEMPFAIL."""
_LOG_TAIL = 2000
_LOG_MAX = 1 << 20


class Place:
    """Where a supervisor keeps its state; it names the supervisor too."""

    def __init__(self, *, root: str | None = None, run: str | None = None) -> None:
        self.root = os.path.abspath(root or os.environ.get("STACKER_ROOT") or DEFAULT_ROOT)
        self.run = os.path.abspath(run or os.environ.get("STACKER_RUN") or DEFAULT_RUN)

    @property
    def socket(self) -> str:
        return f"{self.run}/{SOCKET}"

    @property
    def log(self) -> str:
        """What a supervisor that was started here says."""
        return f"{self.run}/{LOG}"


def is_running(place: Place) -> bool:
    """Does a supervisor answer there?"""
    try:
        http.connect(place.socket).close()
    except Unavailable:
        return False
    return True


def connect(place: Place) -> Supervisor:
    """Return the running supervisor; raise Unavailable when none runs."""
    if not is_running(place):
        raise Unavailable("no supervisor runs; start a stack with: stacker up FILE")
    return Supervisor(place.socket)


def connect_or_start(place: Place, *, options: tuple[str, ...] = ()) -> Supervisor:
    """Return the running supervisor, or start one that ends with its last stack."""
    if not is_running(place):
        if os.geteuid() != 0:
            raise Denied("only root can start a supervisor: run this as root")
        _start(place, options)
    return Supervisor(place.socket)


def daemon_command(arguments: tuple[str, ...]) -> list[str]:
    """Build the command line that becomes the supervisor.

    ``-P`` keeps the caller's directory off the module path: what lies there is not ours to run.
    """
    import sys

    return [sys.executable, "-P", "-m", "stacker.daemon", *arguments]


def _start(place: Place, options: tuple[str, ...]) -> None:
    import subprocess

    os.makedirs(place.run, mode=0o700, exist_ok=True)
    where = ("--root", place.root, "--run", place.run)
    # appended, not truncated: two callers may start one at the same time, and one of them loses
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    log = os.open(place.log, flags, 0o600)
    try:
        if os.fstat(log).st_size > _LOG_MAX:
            os.ftruncate(log, 0)
        process = subprocess.Popen(
            daemon_command((*where, "--ephemeral", *options)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    finally:
        os.close(log)
    _wait_for_socket(place, process)
    process.returncode = 0  # it outlives this command: not ours to reap, nor to warn about


def _wait_for_socket(place: Place, process: subprocess.Popen[bytes]) -> None:
    import time

    deadline = time.monotonic() + START_TIMEOUT_S
    while not is_running(place):
        if process.poll() not in (None, LOCK_HELD):
            raise Unavailable(f"the supervisor did not start: {_last_words(place.log)}")
        if time.monotonic() > deadline:
            raise Unavailable(
                f"the supervisor did not answer within {START_TIMEOUT_S:g} s: "
                f"{_last_words(place.log)}"
            )
        time.sleep(0.005)


def _last_words(path: str) -> str:
    try:
        with open(path, "rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - _LOG_TAIL))
            text = log.read().decode(errors="replace").strip()
    except OSError:
        text = ""
    return text or "it said nothing"
