"""The command lines of OCI runtimes: the same for the built-in one, crun, runc and others."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from runtime.wire.messages import BUILTIN, CONSOLE
from stacker.base.errors import Unsupported

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = {"PATH": _PATH}

NOT_EXECUTABLE = 126
NOT_FOUND = 127
_SAID = (
    ("executable file not found", NOT_FOUND),
    ("executable file `", NOT_FOUND),
    (": no such file or directory", NOT_FOUND),
    (": permission denied", NOT_EXECUTABLE),
    (": exec format error", NOT_EXECUTABLE),
    (": is a directory", NOT_EXECUTABLE),
)

_LARGEST_LOG = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    program: str
    """``builtin`` or a path."""
    state: Path
    log: Path

    def run(self, container_id: str, *, bundle: Path, pid_file: Path, console: bool) -> list[str]:
        where = ["--bundle", str(bundle), "--pid-file", str(pid_file)]
        return self._command("run", "--detach", *where, *_console(console), container_id)

    def exec(self, container_id: str, *, process: Path, pid_file: Path, console: bool) -> list[str]:
        what = ["--process", str(process), "--pid-file", str(pid_file)]
        return self._command("exec", "--detach", *what, *_console(console), container_id)

    def delete(self, container_id: str) -> list[str]:
        return self._command("delete", "--force", container_id)

    def pause(self, container_id: str) -> list[str]:
        return self._command("pause", container_id)

    def resume(self, container_id: str) -> list[str]:
        return self._command("resume", container_id)

    def has(self, container_id: str) -> bool:
        """Whether the runtime keeps state of this container."""
        return (self.state / container_id).exists()

    def last_error(self) -> str:
        """Return what the runtime said last in its log, and empty the log."""
        try:
            with open(self.log, "rb") as file:
                lines = file.read(_LARGEST_LOG).splitlines()
            self.log.unlink()
        except FileNotFoundError:
            return ""
        for line in reversed(lines):
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and entry.get("level") in ("error", "fatal"):  # pyright: ignore[reportUnknownMemberType]
                return str(entry.get("msg", "")).strip()  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
        return lines[-1].decode("utf-8", "replace") if lines else ""

    def _command(self, verb: str, *arguments: str) -> list[str]:
        general = ["--root", str(self.state), "--log", str(self.log), "--log-format", "json"]
        return [self.program, *general, verb, *arguments]


def find_program(name: str) -> str:
    """Return the path of a runtime, or ``builtin``."""
    if name == BUILTIN:
        return BUILTIN
    path = shutil.which(name, path=_PATH)
    if path is None or not os.path.isabs(path):
        raise Unsupported(f"runtime {name}: command not found")
    return path


def exit_code_of(code: int, said: str) -> int | None:
    """Return 126 or 127 when a command could not be run, as a shell and docker have them.

    The built-in runtime ends with them; runc (255) and crun (1) have them in their words only.
    """
    if code in (NOT_EXECUTABLE, NOT_FOUND):
        return code
    words = said.lower()
    return next((number for text, number in _SAID if text in words), None)


def _console(console: bool) -> tuple[str, ...]:
    return ("--console-socket", CONSOLE) if console else ()
