"""The runtime's root and the directory of each container in it.

An id becomes a path component, so its grammar is checked before anything else happens (an
unchecked id once deleted files outside, GHSA-x7pf-2jmj-pgcq).
"""

from __future__ import annotations

import os

from runtime.errors import SpecInvalid, StateConflict, step

DEFAULT_NAME = "stacker-runtime"
DEFAULT_ROOT = f"/run/{DEFAULT_NAME}"
STATE_FILE = "state.json"
# compiled seccomp profiles; no id begins with a dot
CACHE = ".seccomp"
# the socket that init listens on until `start` calls
START_SOCKET = "start.sock"
# config.json as it was at `create`: the bundle's may have changed since
CONFIG_FILE = "config.json"
# what the container sees as /run/notify, and the socket that `start` binds there
NOTIFY = "notify"
NOTIFY_SOCKET = "notify.sock"
# where `restore` mounts the root for CRIU
RESTORE_ROOT = "root"
_FILES = (
    STATE_FILE, STATE_FILE + ".new", START_SOCKET, CONFIG_FILE, CONFIG_FILE + ".new",
    f"{NOTIFY}/{NOTIFY_SOCKET}", "criu.pid",
)  # fmt: skip

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-")
_LONGEST_ID = 255


def default_root() -> str:
    """Of an ordinary user the directory that the session gave them (XDG base directories)."""
    session = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.geteuid() != 0 and os.path.isabs(session):
        return f"{session}/{DEFAULT_NAME}"
    return DEFAULT_ROOT


def check_id(identity: str) -> str:
    """[a-zA-Z0-9_+-][a-zA-Z0-9_+.-]*"""
    tail = _LETTERS | {"."}
    good = bool(identity) and identity[0] in _LETTERS and all(char in tail for char in identity)
    if not good or len(identity) > _LONGEST_ID:
        # runc's words and crun's, which test suites look for
        wrong = next((char for char in identity if char not in tail), identity[:1])
        raise SpecInvalid(
            f"invalid container ID format: {identity!r}: invalid character {wrong!r} in the "
            "container ID: not of the form [a-zA-Z0-9_+-][a-zA-Z0-9_+.-]*"
        )
    return identity


def path_of(root: str, identity: str) -> str:
    return f"{root}/{check_id(identity)}"


def make_directory(root: str, identity: str) -> str:
    """The new container's directory; its existence is the lock on the id."""
    path = path_of(root, identity)
    with step(f"make {path}"):
        os.makedirs(root, 0o700, exist_ok=True)
        try:
            os.mkdir(path, 0o700)
        except FileExistsError as error:
            raise StateConflict(f"container with given ID already exists: {identity}") from error
    return path


def store_config(folder: str, config: bytes) -> None:
    with step(f"write {folder}/{CONFIG_FILE}"), open(f"{folder}/{CONFIG_FILE}", "xb") as file:
        os.fchmod(file.fileno(), 0o600)  # the environment may hold passwords
        file.write(config)


def replace_config(folder: str, config: bytes) -> None:
    path = f"{folder}/{CONFIG_FILE}"
    with step(f"write {path}"):
        with open(f"{path}.new", "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(config)
        os.rename(f"{path}.new", path)


def stored_config(root: str, identity: str) -> bytes:
    path = f"{path_of(root, identity)}/{CONFIG_FILE}"
    with step(f"read {path}"), open(path, "rb") as file:
        return file.read()


def remove_directory(root: str, identity: str) -> None:
    path = path_of(root, identity)
    with step(f"remove {path}"):
        for name in _FILES:
            try:
                os.unlink(f"{path}/{name}")
            except FileNotFoundError:
                continue
        for name in (f"{path}/{NOTIFY}", f"{path}/{RESTORE_ROOT}", path):
            try:
                os.rmdir(name)
            except FileNotFoundError:
                continue


def identities(root: str) -> list[str]:
    try:
        names = (entry.name for entry in os.scandir(root) if entry.is_dir())
        return sorted(name for name in names if name != CACHE)
    except FileNotFoundError:
        return []
