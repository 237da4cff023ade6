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
START_TIMEOUT_S = 120.0
"""As long as systemd waits for the unit; one that has died is seen at once."""
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

    @property
    def has_stacks(self) -> bool:
        """Is a stack declared there? Then a supervisor should run."""
        try:
            return any(name.endswith(".json") for name in os.listdir(f"{self.root}/stacks"))
        except OSError:
            return False


def is_running(place: Place) -> bool:
    """Does a supervisor answer there?"""
    try:
        http.connect(place.socket).close()
    except Unavailable:
        return False
    return True


def connect(place: Place) -> Supervisor:
    """Return the running supervisor; one that died is started again, with the stacks it had.

    Unavailable when none runs and none is missed.
    """
    if is_running(place):
        return Supervisor(place.socket)
    if place.has_stacks and os.geteuid() == 0:
        return connect_or_start(place)
    raise Unavailable("no supervisor runs; start a stack with: stacker up FILE")


def connect_or_start(place: Place, *, options: tuple[str, ...] = ()) -> Supervisor:
    """Return the running supervisor, or start one that ends with its last stack."""

    def revive() -> None:
        if os.geteuid() != 0:
            raise Denied("only root can start a supervisor: run this as root")
        _start(place, options)

    if not is_running(place):
        revive()
    return Supervisor(place.socket, revive=revive)


def wait_for_start(place: Place, timeout_s: float) -> bool:
    """Wait until a supervisor answers that somebody else starts."""
    import time

    deadline = time.monotonic() + timeout_s
    while not is_running(place):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def wait_for_end(place: Place, *, timeout_s: float) -> bool:
    """Wait until the supervisor's process, which holds a lock on its directories, has ended."""
    import fcntl
    import time

    deadline = time.monotonic() + timeout_s
    with open(f"{place.run}/lock", "rb") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.005)
            else:
                return True


def daemon_command(arguments: tuple[str, ...]) -> list[str]:
    """Build the command line that becomes the supervisor.

    ``-P`` keeps the caller's directory off the module path: what lies there is not ours to run.
    """
    import sys

    return [sys.executable, "-P", "-m", "stacker.daemon", *arguments]


def _start(place: Place, options: tuple[str, ...]) -> None:
    """Start one, unless somebody else is about to; return when one answers."""
    import time

    os.makedirs(place.run, mode=0o700, exist_ok=True)
    deadline = time.monotonic() + START_TIMEOUT_S
    log_start = os.path.getsize(place.log) if os.path.exists(place.log) else 0
    process = _spawn(place, options)
    while not is_running(place):
        code = process.poll()
        if code == LOCK_HELD:
            # another one is just starting, or just ending: see which
            process = _spawn(place, options)
        elif code is not None:
            raise Unavailable(f"the supervisor did not start: {_last_words(place.log, log_start)}")
        if time.monotonic() > deadline:
            raise Unavailable(
                f"the supervisor did not answer within {START_TIMEOUT_S:g} s: "
                f"{_last_words(place.log, log_start)}"
            )
        time.sleep(0.005)
    if _holder(place) in (process.pid, None):
        process.returncode = 0  # it outlives this command: not ours to reap, nor to warn about
        return
    # somebody else's answers; ours would take its place when that ends, and nobody wants it then
    process.terminate()
    process.wait()


def _holder(place: Place) -> int | None:
    """Return the pid of the supervisor that holds the run directory, if it could note it."""
    try:
        with open(f"{place.run}/lock", encoding="ascii") as lock:
            return int(lock.read())
    except (OSError, ValueError):
        return None


def _spawn(place: Place, options: tuple[str, ...]) -> subprocess.Popen[bytes]:
    import subprocess

    # appended, not truncated: two callers may start one at the same time
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    log = os.open(place.log, flags, 0o600)
    try:
        if os.fstat(log).st_size > _LOG_MAX:
            os.ftruncate(log, 0)
        return subprocess.Popen(
            daemon_command(("--root", place.root, "--run", place.run, "--ephemeral", *options)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    finally:
        os.close(log)


def _last_words(path: str, start: int) -> str:
    """Return the end of what a supervisor said that began to say it at ``start``."""
    try:
        with open(path, "rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(min(start, end), end - _LOG_TAIL))
            text = log.read().decode(errors="replace").strip()
    except OSError:
        text = ""
    last = text[text.rfind("\nstacker: ") + 1 :].removeprefix("stacker: ")
    if "Traceback" in last:  # a bug; the log has the rest of it
        last = f"{last[last.rfind(chr(10)) + 1 :].strip()} (see {path})"
    return last or "it said nothing"
