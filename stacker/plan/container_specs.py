"""The words for processes in containers that the engine and the container driver share."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    max_size: int = 10 * 1024 * 1024
    """Bytes of one file before it is rotated."""
    max_files: int = 3
    """0: nothing is kept (``driver: none``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One start of a container's process."""

    container_id: str
    spec: dict[str, object]
    """The OCI ``config.json``."""
    runtime: str | None = None
    """``builtin``, ``crun``, ``runc`` or an absolute path; None: the supervisor's default."""
    log: LogOptions = field(default_factory=LogOptions)
    stdin_open: bool = False
    terminal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    pid: int
    start_time: int
    """Field 22 of /proc/PID/stat, clock ticks since boot: with the pid, an identity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """The container's first process as the kernel and the exit journal know it."""

    pid: int
    start_time: int
    running: bool
    code: int | None = None
    """128 + signal for a killed process; None while running, and when no witness knows."""
    signal: int | None = None
    at: float | None = None
    """When it ended, in seconds since the epoch."""
    oom: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessExit:
    """Told when a container's first process has ended."""

    container_id: str
    process: Process


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecRequest:
    args: tuple[str, ...]
    env: tuple[str, ...] = ()
    """``NAME=value``, on top of the container's own."""
    cwd: str | None = None
    user: str | None = None
    tty: bool = False
    stdin: bool = False
    rows: int = 24
    columns: int = 80
    privileged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecResult:
    code: int
    output: str
    """The last 4 KiB of stdout and stderr, as text."""
    timed_out: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsSample:
    """What one container uses now. Bytes, nanoseconds; None: this host does not count it."""

    container_id: str
    at: float
    cpu_ns: int | None = None
    """Since the start; the reader takes the difference of two samples."""
    throttled_ns: int | None = None
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    memory_peak_bytes: int | None = None
    oom_kills: int | None = None
    pids: int | None = None
    pids_limit: int | None = None
    read_bytes: int | None = None
    write_bytes: int | None = None
    received_bytes: int | None = None
    sent_bytes: int | None = None
