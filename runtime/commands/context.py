"""What the global flags say, and where messages go: handed to every command."""

from __future__ import annotations

import os
import sys
import time

from runtime.errors import step
from runtime.wire import json

MANAGERS = ("cgroupfs", "systemd", "disabled")
LOG_FORMATS = ("text", "json")
ROOTLESS = ("auto", "true", "false")


class Report:
    """Errors go to stderr and to the log; warnings to the log, or to stderr when there is none.

    The log is what `--log` names, a file or a pipe, with crun's `file:` before it or without: one
    JSON object or one line a message, as runc writes them. One that cannot be opened is refused
    at once; one that later cannot be written is no reason to fail.
    """

    __slots__ = ("_debug", "_format", "_path")

    def __init__(self, path: str = "", kind: str = "text", *, debug: bool = False) -> None:
        self._path = path.removeprefix("file:")
        self._format = kind
        self._debug = debug

    def check(self) -> None:
        """Whether the log can be opened, before anything is done that it would tell of."""
        if self._path:
            with step(f"--log: open {self._path}"):
                os.close(os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600))

    def fail(self, text: str) -> None:
        text = one_line(text)
        self._append("error", text)
        say(f"stacker-runtime: {text}")

    def warn(self, text: str) -> None:
        text = one_line(text)
        if not self._append("warning", text):
            say(f"stacker-runtime: warning: {text}")

    def debug(self, text: str) -> None:
        if self._debug and not self._append("debug", text):
            say(f"stacker-runtime: debug: {text}")

    def _append(self, level: str, text: str) -> bool:
        if not self._path:
            return False
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if self._format == "json":
            line = json.dumps({"level": level, "msg": text, "time": now})
        else:
            line = f'time="{now}" level={level} msg={json.dumps(text)}'
        try:
            with open(self._path, "a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError:
            return False
        return True


class Context:
    __slots__ = ("cgroup_manager", "criu", "report", "root", "rootless")

    def __init__(
        self,
        *,
        root: str,
        report: Report,
        cgroup_manager: str = MANAGERS[0],
        rootless: str = ROOTLESS[0],
        criu: str = "criu",
    ) -> None:
        self.root = root
        self.report = report
        self.cgroup_manager = cgroup_manager
        """One of MANAGERS."""
        self.rootless = rootless
        """One of ROOTLESS; `auto`: when the caller is not root."""
        self.criu = criu
        """The program that checkpoint and restore call."""


def one_line(text: str) -> str:
    """What config.json names may hold line ends, and escape sequences for the reader's terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def say(text: str) -> None:
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        # no stderr to say it on
        return


def show(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def show_json(document: object, *, indent: int | None = 2) -> None:
    """Without an indent as runc prints it: one line and no blanks, which suites compare with."""
    show(json.dumps(document, indent=indent, separators=(",", ": " if indent else ":")))


def show_table(rows: list[tuple[str, ...]]) -> None:
    """The first row is the heading; all have as many cells."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        show("   ".join(cells).rstrip())
