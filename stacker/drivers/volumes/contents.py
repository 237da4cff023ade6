"""Configs and secrets: from their source into memory, and as files for one container.

The files lie on a tmpfs of their own below the run directory, which the supervisor mounts when
it starts; they never reach a disk, the state files, the logs or ``inspect``.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from runtime.linux import files as names
from runtime.linux import mount
from stacker.base.errors import Invalid, NotFound
from stacker.drivers.volumes.relabel import label_file

_FRESH = ".new"

LARGEST_CONTENT = 1024 * 1024
"""Bytes of one config or secret; Compose and Swarm stop at 500 KiB and 1 MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentFile:
    """One config or secret as a container sees it."""

    target: str
    content: bytes
    uid: int = 0
    gid: int = 0
    mode: int = 0o444

    def __repr__(self) -> str:
        return f"ContentFile(target={self.target!r}, {len(self.content)} bytes)"


def read_content(path: str) -> bytes:
    """Read the file that a config or a secret names on the host."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise NotFound(f"file {path} does not exist") from error
    except OSError as error:
        raise Invalid(f"file {path}: {os.strerror(error.errno or 0).lower()}") from error

    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise Invalid(f"{path} is not a regular file")
        content = file.read(LARGEST_CONTENT + 1)
    if len(content) > LARGEST_CONTENT:
        raise Invalid(f"file {path} is larger than {LARGEST_CONTENT} bytes")
    return content


def _name(target: str) -> str:
    """By what it is for, so that no other content is ever taken for it."""
    return hashlib.sha256(target.encode()).hexdigest()[:32]


class ContentFiles:
    """The tmpfs with one directory for each container."""

    def __init__(self, run: Path) -> None:
        self._directory = run / "contents"

    def prepare(self) -> None:
        """Mount the tmpfs, unless it is mounted already (by this supervisor's predecessor)."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        if not os.path.ismount(self._directory):
            mount.mount(
                "stacker-contents",
                os.fspath(self._directory),
                "tmpfs",
                mount.MS_NOSUID | mount.MS_NODEV | mount.MS_NOEXEC,
                "mode=0700,size=64m",
            )

    def release(self) -> None:
        """Unmount the tmpfs: no container uses it any more."""
        if os.path.ismount(self._directory):
            mount.umount2(os.fspath(self._directory), mount.MNT_DETACH)

    def write(
        self, container_id: str, files: tuple[ContentFile, ...], *, label: str | None = None
    ) -> dict[str, str]:
        """Write a container's files, all or none, and return target → path on the host."""
        directory = self._directory / container_id
        if not files:
            self.remove(container_id)
            return {}
        self.prepare()  # somebody may have unmounted it, and below lies a disk
        fresh = self._directory / f".{container_id}{_FRESH}"
        _remove(fresh)
        try:
            fresh.mkdir(mode=0o700)
            self._fill(fresh, files, label)
            _put_in_place(fresh, directory)
        finally:
            _remove(fresh)
        return {file.target: os.fspath(directory / _name(file.target)) for file in files}

    def _fill(self, directory: Path, files: tuple[ContentFile, ...], label: str | None) -> None:
        for file in files:
            path = directory / _name(file.target)
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(fd, "wb") as writer:
                writer.write(file.content)
                os.fchown(fd, file.uid, file.gid)
                os.fchmod(fd, file.mode)
            label_file(path, label)

    def paths(self, container_id: str, targets: tuple[str, ...]) -> dict[str, str] | None:
        """Return what ``write`` returned, or None where the files are gone (after a reboot)."""
        directory = self._directory / container_id
        paths = {target: os.fspath(directory / _name(target)) for target in targets}
        return paths if all(os.path.exists(path) for path in paths.values()) else None

    def remove(self, container_id: str) -> None:
        _remove(self._directory / container_id)

    def sweep(self, kept: Collection[str]) -> None:
        """Remove what belongs to none of ``kept``, and what was never put in its place."""
        for directory in self._directory.iterdir():
            if directory.name not in kept:
                _remove(directory)


def _put_in_place(fresh: Path, directory: Path) -> None:
    """At no time none is there: who is killed in between has lost nothing."""
    if directory.exists():
        names.exchange(os.fspath(fresh), os.fspath(directory))
    else:
        fresh.rename(directory)


def _remove(directory: Path) -> None:
    if not directory.exists():
        return
    for path in directory.iterdir():
        path.unlink()
    directory.rmdir()
