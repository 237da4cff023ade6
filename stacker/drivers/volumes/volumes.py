"""Named volumes: directories below the state root, or what ``driver_opts`` says to mount.

``ROOT/volumes/NAME/volume.json`` says whose it is; ``_data`` holds the data. A volume with
``driver_opts`` is mounted on its ``_data`` while a container uses it. What an image holds for a new
volume is copied to ``filling``, called ``filled`` once it is whole, and moved into ``_data`` from
there: whoever is killed on the way leaves it to the next container.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from pathlib import Path

from runtime.linux import mount
from runtime.linux.held_namespaces import user_namespace
from stacker.base.atomic import sweep_unfinished, write_atomic
from stacker.base.disk_usage import size_of
from stacker.base.errors import Conflict, Failed, Invalid, NoSpace, NotFound, StackerError
from stacker.base.id_range import IdRange
from stacker.drivers.volumes.inside import copy_attributes, copy_tree, open_directory
from stacker.plan.observed import ObservedVolume
from stacker.stack.model.volume import Volume

FLAGS = {
    "ro": mount.MS_RDONLY,
    "rw": 0,
    "nosuid": mount.MS_NOSUID,
    "nodev": mount.MS_NODEV,
    "noexec": mount.MS_NOEXEC,
    "noatime": mount.MS_NOATIME,
    "nodiratime": mount.MS_NODIRATIME,
    "relatime": mount.MS_RELATIME,
    "strictatime": mount.MS_STRICTATIME,
    "sync": mount.MS_SYNCHRONOUS,
    "dirsync": mount.MS_DIRSYNC,
    "bind": mount.MS_BIND,
    "rbind": mount.MS_BIND | mount.MS_REC,
}
"""Words of ``driver_opts.o`` that are flags of mount(2); all others are data."""


class NamedVolumes:
    def __init__(self, root: Path) -> None:
        self._directory = root / "volumes"
        self._fills: dict[str, threading.Lock] = {}
        """Of replicas that begin together one copies, and the others wait until all is there."""

    def prepare(self) -> None:
        # a process in a container reaches its volume through a bind mount, which does not look
        # at the directories above; on the host only root may (CVE-2021-41091)
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        sweep_unfinished(self._directory.iterdir())

    def observe(self) -> tuple[ObservedVolume, ...]:
        volumes: list[ObservedVolume] = []
        for path in sorted(self._directory.glob("*/volume.json")):
            try:
                owner = json.loads(path.read_bytes())
                stack, key = str(owner["stack"]), str(owner["key"])
            except (OSError, ValueError, KeyError, TypeError):
                # the data is worth more than the note about it: it belongs to nobody then
                stack, key = "", path.parent.name
            volumes.append(ObservedVolume(name=path.parent.name, stack=stack, key=key))
        return tuple(volumes)

    def sizes(self) -> dict[str, int]:
        """What each takes on the disk; what is mounted over it does not count."""
        return {volume.name: size_of(self._directory / volume.name) for volume in self.observe()}

    def ensure(self, volume: Volume, *, stack: str, key: str) -> bool:
        """Make a volume; True when it is new, and so may be filled from an image."""
        directory = self._directory / volume.name
        if (directory / "volume.json").exists():
            return False
        if volume.external:
            raise NotFound(f"volume {volume.name} is external and does not exist")
        try:
            make_directory(directory / "_data")
            directory.chmod(0o700)
            owner = {"stack": stack, "key": key, "labels": dict(volume.labels)}
            write_atomic(directory / "volume.json", json.dumps(owner).encode(), durable=True)
        except OSError as error:
            raise translate(error, f"create volume {volume.name}") from error
        return True

    def attach(self, volume: Volume) -> Path:
        """Return where the data is; mounts what ``driver_opts`` names first."""
        data = self._directory / volume.name / "_data"
        if not data.is_dir():
            raise NotFound(f"volume {volume.name} does not exist")
        if volume.device is not None or volume.type is not None:
            self._mount(volume, data)
        return data

    def fill(self, name: str, rootfs: str, path: str, *, ids: IdRange | None = None) -> None:
        """Copy what an image holds at ``path`` into the empty volume (Docker's copy-up).

        ``ids``: those that the owners in ``rootfs`` have; in the volume they have the inside's.
        """
        data = self._directory / name / "_data"
        try:
            with self._fills.setdefault(name, threading.Lock()):
                self._fill(data, rootfs, path, ids)
        except OSError as error:
            raise translate(error, f"fill volume {name} from the image's {path}") from error

    def _fill(self, data: Path, rootfs: str, path: str, ids: IdRange | None) -> None:
        filling, filled = data.with_name("filling"), data.with_name("filled")
        if not filled.exists():
            source = None if any(data.iterdir()) else open_directory(rootfs, path)
            if source is None:
                return
            try:
                if os.path.ismount(data):
                    _copy(source, data, ids)
                    return
                shutil.rmtree(filling, ignore_errors=True)
                filling.mkdir(mode=0o700)
                _copy(source, filling, ids)
                filling.rename(filled)
            finally:
                os.close(source)
                shutil.rmtree(filling, ignore_errors=True)
        _move(filled, data)

    def remove(self, name: str) -> None:
        """Remove a volume and its data; what is not there is no error."""
        directory = self._directory / name
        self.detach(name)
        try:
            shutil.rmtree(directory)
        except FileNotFoundError:
            return
        except OSError as error:
            raise translate(error, f"remove volume {name}") from error

    def detach(self, name: str) -> None:
        """Unmount what ``driver_opts`` had mounted."""
        data = self._directory / name / "_data"
        while os.path.ismount(data):
            mount.umount2(os.fspath(data), mount.MNT_DETACH)

    def _mount(self, volume: Volume, data: Path) -> None:
        if os.path.ismount(data):
            return
        words = [word for word in (volume.options or "").split(",") if word]
        flags = 0
        for word in words:
            flags |= FLAGS.get(word, 0)
        rest = ",".join(word for word in words if word not in FLAGS)
        if flags & mount.MS_BIND and not os.path.isabs(volume.device or ""):
            raise Invalid(f"volume {volume.name}: device {volume.device!r} is not an absolute path")
        kind = None if volume.type in (None, "none") else volume.type
        try:
            mount.mount(volume.device or kind, os.fspath(data), kind, flags, rest or None)
        except OSError as error:
            raise translate(error, f"mount volume {volume.name}") from error


def _copy(source: int, directory: Path, ids: IdRange | None) -> None:
    target = _open(directory) if ids is None else _open_mapped(directory, ids)
    try:
        copy_tree(source, target)
    finally:
        os.close(target)


def _open(directory: Path | str, *, at: int | None = None) -> int:
    return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=at)


def _open_mapped(directory: Path, ids: IdRange) -> int:
    """By a mount of its own, in which a file has the owners that it has for the container."""
    namespace = user_namespace(ids.mappings_for_the_host)
    try:
        mapped = mount.clone_mapped(os.fspath(directory), namespace)
    finally:
        os.close(namespace)
    try:
        return _open(".", at=mapped)
    finally:
        os.close(mapped)


def _move(filled: Path, data: Path) -> None:
    """Not by renaming the directory itself, which a container may have mounted already."""
    for path in filled.iterdir():
        path.rename(data / path.name)
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    source, target = os.open(filled, flags), os.open(data, flags)
    try:
        copy_attributes(source, target)
    finally:
        os.close(source)
        os.close(target)
    filled.rmdir()


def host_path(path: str, *, create: bool) -> Path:
    """Return a bind mount's source, made as a directory where the stack file allows it."""
    source = Path(path)
    if source.exists():
        return source
    if not create:
        raise NotFound(f"bind mount source {path} does not exist")
    try:
        make_directory(source)
    except OSError as error:
        raise translate(error, f"create bind mount source {path}") from error
    return source


def make_directory(path: Path) -> None:
    """Make a directory, and those above it, that containers of any user can read.

    The supervisor's own files are private by its umask.
    """
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        each.chmod(0o755)


def translate(error: OSError, step: str) -> StackerError:
    """Say which step met which errno, in the class that tells the user what to do."""
    text = os.strerror(error.errno or 0).lower()
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return NoSpace(f"{step}: {text}")
        case errno.EBUSY:
            return Conflict(f"{step}: {text}")
        case _:
            return Failed(f"{step}: {text}")
