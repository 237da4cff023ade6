"""Find the program that the container is to run, as execvp does, inside the entered root."""

from __future__ import annotations

import os
import stat

from runtime.errors import CommandNotRunnable

NOTIFY_DIRECTORY = "/run/notify"
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NOT_FOUND = 127
NOT_EXECUTABLE = 126


def environment_of(entries: tuple[str, ...]) -> dict[str, str]:
    """Of two entries for one name the last one counts, as in runc; order is kept."""
    pairs = (entry.partition("=") for entry in entries)
    return {name: value for name, _, value in pairs}


def service_variables(*, listen_fds: int, listen_names: str, notify: str) -> dict[str, str]:
    """What sd_listen_fds(3) and sd_notify(3) look for; LISTEN_PID is who the program will be."""
    variables: dict[str, str] = {}
    if listen_fds:
        variables["LISTEN_FDS"] = str(listen_fds)
        variables["LISTEN_PID"] = str(os.getpid())
        if listen_names:
            variables["LISTEN_FDNAMES"] = listen_names
    if notify:
        variables["NOTIFY_SOCKET"] = f"{NOTIFY_DIRECTORY}/{notify}"
    return variables


def find_program(name: str, environment: dict[str, str]) -> str:
    """With a slash: as it is. Without: the first match on the container's own PATH."""
    if not name:
        raise CommandNotRunnable("process.args[0]: empty", NOT_FOUND)
    if "/" in name:
        return _check(name)
    denied = False
    for directory in environment.get("PATH", _DEFAULT_PATH).split(":"):
        candidate = f"{directory or '.'}/{name}"
        if _is_file(candidate):
            if os.access(candidate, os.X_OK, effective_ids=True):
                return candidate
            denied = True
    if denied:
        raise CommandNotRunnable(f"exec {name}: permission denied", NOT_EXECUTABLE)
    raise CommandNotRunnable(f"exec {name}: executable file not found in $PATH", NOT_FOUND)


def execute(path: str, arguments: tuple[str, ...], environment: dict[str, str]) -> None:
    try:
        os.execve(path, arguments, environment)
    except OSError as error:
        code = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
        reason = (error.strerror or str(error)).lower()
        raise CommandNotRunnable(f"exec {path}: {reason}", code) from error


def _check(path: str) -> str:
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        code = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
        raise CommandNotRunnable(f"exec {path}: {(error.strerror or '').lower()}", code) from error
    if stat.S_ISDIR(mode):
        raise CommandNotRunnable(f"exec {path}: is a directory", NOT_EXECUTABLE)
    if not os.access(path, os.X_OK, effective_ids=True):
        raise CommandNotRunnable(f"exec {path}: permission denied", NOT_EXECUTABLE)
    return path


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False
