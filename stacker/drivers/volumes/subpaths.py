"""Parts of volumes, held in place while a container is started.

A container that has the volume may put a link where the part was, between any check and the mount
(CVE-2017-1002101). So the place is opened once, in the volume as its root, and the very thing that
was opened is bound below the run directory; the runtime mounts it from there, and it is taken away
again once the container has it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from runtime.linux import mount
from runtime.linux.fds import open_in_root
from stacker.base.errors import Invalid


class Subpaths:
    def __init__(self, run: Path) -> None:
        self._directory = run / "subpaths"

    def prepare(self) -> None:
        """Make the directory; what a supervisor that was killed has left in it goes."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        for path in self._directory.iterdir():
            self.release(path)

    def bind(self, name: str, volume: Path, path: str) -> Path:
        """Return where the part of the volume is bound."""
        fd = _open(volume, path)
        place = self._directory / name
        try:
            if stat.S_ISDIR(os.fstat(fd).st_mode):
                place.mkdir(mode=0o700)
            else:
                place.touch(mode=0o600)
            source = f"/proc/self/fd/{fd}"
            mount.mount(source, os.fspath(place), None, mount.MS_BIND | mount.MS_REC)
        finally:
            os.close(fd)
        return place

    def release(self, place: Path) -> None:
        """Unmount it, which no container notices, and take its place away."""
        while True:
            try:
                mount.umount2(os.fspath(place), mount.MNT_DETACH | mount.UMOUNT_NOFOLLOW)
            except OSError:
                break  # nothing is mounted there any more
        if place.is_dir():
            place.rmdir()
        else:
            place.unlink(missing_ok=True)


def _open(volume: Path, path: str) -> int:
    root = os.open(volume, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return open_in_root(root, path, os.O_PATH)
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise Invalid(f"subpath {path} of the volume: {reason}") from error
    finally:
        os.close(root)
