"""What is visible, but not yet safe from a power cut.

A pull does not wait for the disk: content is renamed into place at once, and a mark is left. Marks
hold the boot id; `settle` syncs what they name and takes them away, in the background. At the next
start a mark of an earlier boot means a power cut in between: what it names may be a file of zeros,
and is dropped. A mark of the same boot means that only the process died: its bytes are fine.

The file systems that matter log metadata in order, so a mark that was made before a rename is
there whenever the rename is.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from runtime.linux.files import sync_file_system
from stacker.base.atomic import sync_directory, sync_file
from stacker.drivers.images.directory.remove import remove_tree

_SEPARATOR = "="


class Unsynced:
    """Marks for files below one root. All methods block; call them in a thread."""

    def __init__(
        self, folder: Path, *, root: Path, boot_id: str, beside: Sequence[str] = ()
    ) -> None:
        """`beside` are the suffixes of what says more of a file, written without a mark."""
        self._folder = folder
        self._root = root
        self._boot_id = boot_id.encode()
        self._beside = tuple(beside)
        self._lock = threading.Lock()
        """A mark whose file is not in place yet must not be taken for that of one that has gone."""

    def publish(self, fresh: Path, final: Path) -> None:
        """Rename a whole file into place, marked as not yet durable."""
        mark = self._mark_of(final)
        with self._lock:
            mark.write_bytes(self._boot_id)
            try:
                fresh.rename(final)
            except OSError as error:
                # a directory does not take the place of another; by its name it is the same
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                remove_tree(fresh)

    def is_marked(self, file: Path) -> bool:
        """Whether a power cut may still take a file that is in place."""
        return self._mark_of(file).exists()

    def pending(self) -> list[Path]:
        with self._lock:
            return list(self._folder.iterdir())

    def drop_lost(self) -> list[Path]:
        """Remove what a power cut may have emptied; the files that were dropped."""
        lost: list[Path] = []
        for mark in self.pending():
            if mark.read_bytes() != self._boot_id:
                file = self.named_by(mark)
                if file.is_dir():
                    remove_tree(file)
                else:
                    file.unlink(missing_ok=True)
                mark.unlink()
                lost.append(file)
        return lost

    def settle(self, marks: Iterable[Path]) -> None:
        """Sync the files and what stands beside them, then the folders; then forget the marks."""
        done = {mark: _changed_at(mark) for mark in marks}
        folders: set[Path] = set()
        for mark in done:
            file = self.named_by(mark)
            folders.add(file.parent)
            # without its record a layer is as good as absent
            for path in (file, *map(file.with_suffix, self._beside)):
                try:
                    if path.is_dir():
                        sync_file_system(path)
                    else:
                        sync_file(path)
                except FileNotFoundError:
                    continue  # collected in the meantime, or there is none
        for folder in folders:
            sync_directory(folder)
        with self._lock:
            for mark, changed_at in done.items():
                # a file that was collected and published anew meanwhile has not been synced
                if _changed_at(mark) == changed_at:
                    mark.unlink(missing_ok=True)

    def _mark_of(self, file: Path) -> Path:
        return self._folder / str(file.relative_to(self._root)).replace("/", _SEPARATOR)

    def named_by(self, mark: Path) -> Path:
        """The file that a mark stands for."""
        return self._root / mark.name.replace(_SEPARATOR, os.sep)


def _changed_at(mark: Path) -> int | None:
    try:
        return mark.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def read_boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
