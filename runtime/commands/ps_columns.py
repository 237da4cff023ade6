"""The columns of `ps`: what each is called and how it comes out of /proc/<pid> (proc(5))."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_LARGEST = 65536
_DAY_S = 86_400
_MAJOR_PTS = range(136, 144)


class Clock:
    """What is the same for every line."""

    def __init__(self) -> None:
        self.ticks = os.sysconf("SC_CLK_TCK")
        self.page = os.sysconf("SC_PAGE_SIZE")
        self.now = time.time()
        self.uptime = float(_read("/proc/uptime").split()[0])
        self.memory = self.page * os.sysconf("SC_PHYS_PAGES")
        self.names = _user_names()


class Process:
    """One of /proc's directories, read once."""

    def __init__(self, pid: int, clock: Clock) -> None:
        self.pid = pid
        self.clock = clock
        line = _read(f"/proc/{pid}/stat")
        begin, end = line.index("("), line.rindex(")")
        self.comm = line[begin + 1 : end]
        self.stat = line[end + 2 :].split()  # field 3 of proc(5) is the first
        self.uid = os.stat(f"/proc/{pid}").st_uid
        self.arguments = _read(f"/proc/{pid}/cmdline").rstrip("\0").replace("\0", " ")

    def number(self, field: int) -> int:
        """A field of stat, as proc(5) counts."""
        return int(self.stat[field - 3])

    @property
    def cpu_s(self) -> int:
        return (self.number(14) + self.number(15)) // self.clock.ticks

    @property
    def age_s(self) -> float:
        return max(0.0, self.clock.uptime - self.number(22) / self.clock.ticks)


def read_row(pid: int, columns: tuple[str, ...], clock: Clock) -> tuple[str, ...] | None:
    """None when there is no such process any more."""
    try:
        process = Process(pid, clock)
    except (OSError, ValueError):
        return None
    return tuple(_printable(COLUMNS[name][1](process)) for name in columns)


def _user(process: Process) -> str:
    return process.clock.names.get(process.uid, str(process.uid))


def _command(process: Process) -> str:
    return process.arguments or f"[{process.comm}]"


def _terminal(process: Process) -> str:
    device = process.number(7)
    major, minor = os.major(device), os.minor(device)
    if device == 0:
        return "?"
    return f"pts/{minor + 256 * (major - 136)}" if major in _MAJOR_PTS else f"{major}:{minor}"


def _started(process: Process) -> str:
    began = time.localtime(process.clock.now - process.age_s)
    return time.strftime("%H:%M" if process.age_s < _DAY_S else "%b%d", began)


def _clock_time(seconds: int) -> str:
    days, rest = divmod(seconds, _DAY_S)
    text = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days}-{text}" if days else text


def _elapsed(process: Process) -> str:
    return _clock_time(int(process.age_s)).removeprefix("00:")


def _share(process: Process) -> float:
    return 100 * process.cpu_s / process.age_s if process.age_s >= 1 else 0.0


def _memory_share(process: Process) -> str:
    return f"{100 * process.number(24) * process.clock.page / process.clock.memory:.1f}"


def _state(process: Process) -> str:
    leader = "s" if process.number(6) == process.pid else ""
    threads = "l" if process.number(20) > 1 else ""
    return f"{process.stat[0]}{leader}{threads}"


def _name(process: Process) -> str:
    return process.comm


# as ps(1) names them -> (heading, value)
COLUMNS: dict[str, tuple[str, Callable[[Process], str]]] = {
    "uid": ("UID", _user),
    "user": ("USER", _user),
    "euid": ("EUID", lambda process: str(process.uid)),
    "pid": ("PID", lambda process: str(process.pid)),
    "ppid": ("PPID", lambda process: str(process.number(4))),
    "pgid": ("PGID", lambda process: str(process.number(5))),
    "sid": ("SID", lambda process: str(process.number(6))),
    "c": ("C", lambda process: str(int(_share(process)))),
    "%cpu": ("%CPU", lambda process: f"{_share(process):.1f}"),
    "pcpu": ("%CPU", lambda process: f"{_share(process):.1f}"),
    "%mem": ("%MEM", _memory_share),
    "pmem": ("%MEM", _memory_share),
    "stime": ("STIME", _started),
    "start": ("START", _started),
    "tty": ("TTY", _terminal),
    "time": ("TIME", lambda process: _clock_time(process.cpu_s)),
    "etime": ("ELAPSED", _elapsed),
    "etimes": ("ELAPSED", lambda process: str(int(process.age_s))),
    "s": ("S", lambda process: process.stat[0]),
    "stat": ("STAT", _state),
    "pri": ("PRI", lambda process: str(process.number(18))),
    "ni": ("NI", lambda process: str(process.number(19))),
    "nice": ("NI", lambda process: str(process.number(19))),
    "nlwp": ("NLWP", lambda process: str(process.number(20))),
    "vsz": ("VSZ", lambda process: str(process.number(23) // 1024)),
    "sz": ("SZ", lambda process: str(process.number(23) // process.clock.page)),
    "rss": ("RSS", lambda process: str(process.number(24) * process.clock.page // 1024)),
    "comm": ("COMMAND", _name),
    "ucmd": ("CMD", _name),
    "cmd": ("CMD", _command),
    "args": ("COMMAND", _command),
    "command": ("COMMAND", _command),
}


def _user_names() -> dict[int, str]:
    """The host's own file: a name service may hang, and loads libraries."""
    names: dict[int, str] = {}
    try:
        lines = _read("/etc/passwd").splitlines()
    except OSError:
        return names
    for line in lines:
        fields = line.split(":")
        if len(fields) > 2 and fields[2].isdecimal():
            names.setdefault(int(fields[2]), fields[0])
    return names


def _printable(text: str) -> str:
    # a program can call itself anything, also a terminal's escape sequence
    return "".join(char if char.isprintable() else "?" for char in text)


def _read(path: str) -> str:
    with open(path, "rb") as file:
        return file.read(_LARGEST).decode("utf-8", "replace")
