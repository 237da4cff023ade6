"""What is mounted below the run directory, and the steps that change it; synchronous.

Called by `mounts` in a thread, one step at a time. Layout: ``layers/NAME`` are the EROFS mounts,
named by a digest of the image file's path; root file systems and shared memory are wherever the
engine wants them. Only overlays, shared memory, and EROFS mounts below ``layers``, are ours to
unmount: other drivers keep mounts in the run directory too.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from pathlib import Path

from runtime.linux import mount as linux
from stacker.base.errors import Failed
from stacker.base.id_range import IdRange
from stacker.drivers.mounts.context import is_named, unmount
from stacker.drivers.mounts.erofs import Method, mount_erofs
from stacker.drivers.mounts.mapped import mount_mapped_overlay
from stacker.drivers.mounts.overlay import Way, mount_overlay
from stacker.drivers.mounts.table import Mounted, read_table
from stacker.oci import whiteout

_NAME_LENGTH = 16
_SHARED_MEMORY = "stacker-shm"
"""By this source such a tmpfs is known in the mount table."""


class MountTree:
    """The mounts of one supervisor."""

    def __init__(self, run: Path, methods: Sequence[Method], ways: Sequence[Way]) -> None:
        self._run = run
        self._layers = run / "layers"
        # what did not work once will not the next time, and makes noise in the kernel's log
        self._methods = tuple(methods)
        self._ways = tuple(ways)

    def prepare(self) -> None:
        """Makes the run directory a private mount of its own. Idempotent."""
        self._run.mkdir(mode=0o700, parents=True, exist_ok=True)
        table = read_table(self._run)
        if not any(mounted.target == self._run for mounted in table):
            linux.mount(os.fspath(self._run), os.fspath(self._run), None, linux.MS_BIND)
        linux.mount(None, os.fspath(self._run), None, linux.MS_PRIVATE)
        self._layers.mkdir(mode=0o700, exist_ok=True)

    def release(self) -> None:
        """Undoes `prepare`, unless something is still mounted below."""
        table = read_table(self._run)
        if [mounted.target for mounted in table] == [self._run]:
            unmount(self._run)

    def mount(
        self,
        layers: Sequence[Path],
        upper: Path,
        work: Path,
        target: Path,
        *,
        label: str | None = None,
        ids: IdRange | None = None,
    ) -> None:
        """Stacks `layers`, lowest first, under `upper` at `target`; a failure leaves nothing."""
        target.mkdir(mode=0o755, parents=True, exist_ok=True)
        mounted = _is_mount(target)
        try:
            lowers = self._lowers(layers)
            if mounted:
                if self._stands(lowers, upper, target):
                    return
                self._unmount_all(target)
            if not upper.exists():
                _make_upper(upper, lowers)
            work.mkdir(mode=0o700, parents=True, exist_ok=True)
            overlay = mount_overlay if ids is None else partial(mount_mapped_overlay, ids=ids)
            way = overlay(
                lowers, upper=upper, work=work, target=target, ways=self._ways, label=label
            )
            self._ways = self._ways[self._ways.index(way) :]
        except BaseException:
            if not mounted:
                self.unmount(target)
            self._drop_layers(read_table(self._run), None)
            raise

    def mount_image(self, layers: Sequence[Path], target: Path) -> None:
        """Stacks `layers`, lowest first, read-only at `target`. Idempotent."""
        target.mkdir(mode=0o755, parents=True, exist_ok=True)
        if _is_mount(target):
            return
        top = _top_of(target)
        try:
            lowers = self._lowers(layers)
            if not top.exists():
                _make_upper(top, lowers)
            # the directory on top shows the root's attributes, and one lower is not enough
            way = mount_overlay(
                [top, *lowers], upper=None, work=None, target=target, ways=self._ways
            )
            self._ways = self._ways[self._ways.index(way) :]
        except BaseException:
            self.unmount_image(target)
            raise

    def unmount_image(self, target: Path) -> None:
        self.unmount(target)
        _remove_directory(_top_of(target))

    def mount_shared_memory(self, target: Path, size: int) -> None:
        """A tmpfs at `target`. Idempotent."""
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_mount(target):
            flags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
            options = f"mode=1777,size={size}"
            linux.mount(_SHARED_MEMORY, os.fspath(target), "tmpfs", flags, options)

    def unmount_shared_memory(self, target: Path) -> None:
        if target.exists():
            self.unmount(target)

    def unmount(self, target: Path) -> None:
        """Unmounts a root file system, and the layers that were its alone; or shared memory."""
        table = read_table(self._run)
        ours = [mounted for mounted in table if mounted.target == target]
        for mounted in reversed(ours):
            unmount(mounted.target)
        _remove_directory(target)
        left = [mounted for mounted in table if mounted.target != target]
        lowers = {lower for mounted in ours for lower in mounted.lowers}
        named = all(map(is_named, lowers))
        self._drop_layers(left, lowers if named else None)

    def sweep(self, needed: Collection[Path]) -> None:
        """Unmounts what is not needed at its target, then every layer left unused."""
        table = read_table(self._run)
        kept: list[Mounted] = []
        for mounted in reversed(table):
            targeted = mounted.filesystem == "overlay" or mounted.source == _SHARED_MEMORY
            if targeted and mounted.target not in needed:
                unmount(mounted.target)
                _remove_directory(mounted.target)
            else:
                kept.append(mounted)
        self._drop_layers(kept, None)
        self._remove_strays()

    # -- layers ------------------------------------------------------------------------------

    def _lowers(self, layers: Sequence[Path]) -> list[Path]:
        """The directories for overlayfs, highest first, down to a layer that hides all others."""
        lowers: list[Path] = []
        for layer in reversed(layers):
            place = self._layer(layer)
            lowers.append(place)
            # overlayfs merges the roots of all layers whatever their xattrs say
            if _xattr(place, whiteout.OVERLAY_OPAQUE[0]) == whiteout.OVERLAY_OPAQUE[1]:
                break
        if not lowers:
            # an image "from scratch" with no layer: overlayfs needs one all the same
            empty = self._layers / "empty"
            empty.mkdir(mode=0o755, exist_ok=True)
            lowers.append(empty)
        return lowers

    def _layer(self, image: Path) -> Path:
        """Where a layer's files are: its mount, or the layer itself when it is a directory."""
        if image.is_dir():
            return image
        name = hashlib.sha256(os.fsencode(image)).hexdigest()[:_NAME_LENGTH]
        place = self._layers / name
        place.mkdir(mode=0o700, exist_ok=True)
        if not _is_mount(place):
            method = mount_erofs(image, place, self._methods)
            self._methods = self._methods[self._methods.index(method) :]
        return place

    def _drop_layers(self, table: Iterable[Mounted], among: Collection[str] | None) -> None:
        """Unmounts the layers that no overlay in `table` uses; `among` narrows the choice."""
        used: set[str] = set()
        places: list[Path] = []
        for mounted in table:
            if mounted.filesystem == "overlay":
                used.update(mounted.lowers)
            elif mounted.filesystem == "erofs" and mounted.target.parent == self._layers:
                places.append(mounted.target)
        if not all(map(is_named, used)):
            # the table does not say what these are: whoever unmounts the last one sweeps
            return
        for place in places:
            name = os.fspath(place)
            if name not in used and (among is None or name in among):
                unmount(place)
                _remove_directory(place)

    def _remove_strays(self) -> None:
        """Mount points whose mount is gone, as after a kill between two steps."""
        if self._layers.is_dir():
            for place in self._layers.iterdir():
                if not _is_mount(place):
                    _remove_directory(place)

    # -- root file systems -------------------------------------------------------------------

    def _stands(self, lowers: Sequence[Path], upper: Path, target: Path) -> bool:
        """Whether what is mounted at `target` is what is wanted there."""
        if not upper.is_dir():
            return False  # removed below the overlay, which does not recover from that
        on_target = [each for each in read_table(self._run) if each.target == target]
        if len(on_target) != 1 or on_target[0].filesystem != "overlay":
            return False
        wanted = [os.fspath(upper), *map(os.fspath, lowers)]
        found = [on_target[0].option("upperdir") or "", *on_target[0].lowers]
        # long paths were named by descriptors, which say nothing any more
        return len(wanted) == len(found) and all(
            path == want or not is_named(path) for want, path in zip(wanted, found, strict=True)
        )

    def _unmount_all(self, target: Path) -> None:
        for mounted in reversed(read_table(self._run)):
            if mounted.target == target:
                unmount(target)


def stands(target: Path, upper: Path) -> bool:
    """Whether something is mounted at `target`, and the writable layer exists."""
    return _is_mount(target) and upper.is_dir()


def _is_mount(path: Path) -> bool:
    """Whether a file system other than the parent's begins here; symlinks are never followed."""
    try:
        return os.lstat(path).st_dev != os.lstat(path.parent).st_dev
    except FileNotFoundError:
        return False


def _top_of(target: Path) -> Path:
    """The empty directory that lies over an image's layers."""
    return target.with_name(f"{target.name}.top")


def _make_upper(upper: Path, lowers: Sequence[Path]) -> None:
    """Makes the upper directory; it has its name only once it has its attributes."""
    fresh = upper.with_name(f"{upper.name}.new")
    fresh.mkdir(mode=0o755, parents=True, exist_ok=True)
    _copy_root(lowers, fresh)
    fresh.rename(upper)


def _copy_root(lowers: Sequence[Path], upper: Path) -> None:
    """Gives a new upper directory the attributes that the image's root shall have.

    The merged root shows the upper directory's; layers mostly do not list their root, so the
    highest that does decides.
    """
    for lower in lowers:
        if _xattr(lower, whiteout.IMPLIED) is None:
            found = os.stat(lower)
            os.chown(upper, found.st_uid, found.st_gid)
            os.chmod(upper, stat.S_IMODE(found.st_mode))
            for name in os.listxattr(lower):
                if not name.startswith("trusted."):
                    os.setxattr(upper, name, os.getxattr(lower, name))
            os.utime(upper, ns=(found.st_mtime_ns, found.st_mtime_ns))
            return
    os.chmod(upper, 0o755)


def _xattr(path: Path, name: bytes) -> bytes | None:
    try:
        return os.getxattr(path, name)
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.EOPNOTSUPP):
            return None
        raise


def _remove_directory(path: Path) -> None:
    try:
        path.rmdir()
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EBUSY):
            raise Failed(f"remove mount point {path}: {error.strerror}") from error
