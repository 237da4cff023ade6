"""Records as JSON files, one each, under the state root.

Called by the engine through ``engine.ports.State``. A damaged file is renamed to ``NAME.corrupt``
and reported by ``take_warnings``, so that a bad byte on the disk never keeps containers from
being supervised.
"""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from stacker.base.atomic import sweep_unfinished, write_atomic
from stacker.base.errors import Corrupt, Failed, NoSpace
from stacker.plan.records import ContainerRecord, StackRecord

T = TypeVar("T")

FIRST = "made.json"
"""A container's record as it was first: enough to go on with, should the other be damaged."""
LARGEST_RECORD = 8 * 1024 * 1024


class Records:
    """Stack and container records below ``root``."""

    def __init__(self, root: Path) -> None:
        self._stacks = root / "stacks"
        self._containers = root / "containers"
        self._warnings: list[str] = []

    def prepare(self) -> None:
        """Make the directories, for this user alone, and sweep what a killed one was writing."""
        for directory in (self._stacks, self._containers):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        sweep_unfinished((self._stacks, *self._containers.iterdir()))

    @property
    def is_empty(self) -> bool:
        """Whether there is neither a stack nor a container, not even one without its record."""
        return not any(self._stacks.glob("*.json")) and not self.container_dirs()

    def take_warnings(self) -> tuple[str, ...]:
        """Return what was set aside since the last call."""
        warnings, self._warnings = tuple(self._warnings), []
        return warnings

    def load_stacks(self) -> tuple[StackRecord, ...]:
        files = sorted(self._stacks.glob("*.json"))
        return tuple(r for path in files if (r := self._load(path, StackRecord.from_json)))

    def save_stack(self, record: StackRecord) -> None:
        """Durable when this returns: an accepted declaration survives a power cut."""
        self._save(self._stacks / f"{record.name}.json", record.to_json(), durable=True)

    def remove_stack(self, name: str) -> None:
        (self._stacks / f"{name}.json").unlink(missing_ok=True)

    def load_containers(self) -> tuple[ContainerRecord, ...]:
        """Read them all; a damaged one gives way to what was written when it was made."""
        found: list[ContainerRecord] = []
        for container_id in self.container_dirs():
            for name in ("record.json", FIRST):
                path = self._containers / container_id / name
                record = self._load(path, ContainerRecord.from_json) if path.exists() else None
                if record is not None and record.id == container_id:
                    found.append(record)
                    break
        return tuple(found)

    def save_container(self, record: ContainerRecord) -> None:
        """Atomic but not durable: after a power cut its process is gone anyway."""
        directory = self._containers / record.id
        is_new = not directory.exists()
        self._save(directory / "record.json", record.to_json(), durable=False)
        if is_new:
            self._save(directory / FIRST, record.to_json(), durable=False)

    def container_dir(self, container_id: str) -> Path:
        """Return the directory that lives as long as the container: record, upper layer, logs."""
        return self._containers / container_id

    def remove_container(self, container_id: str) -> None:
        """Remove a container's directory: its record first, so that a half-removed one is gone."""
        directory = self._containers / container_id
        for name in ("record.json", FIRST):
            (directory / name).unlink(missing_ok=True)
        shutil.rmtree(directory, ignore_errors=True)

    def container_dirs(self) -> tuple[str, ...]:
        """Return the ids of all container directories, also of those without a record."""
        return tuple(sorted(path.name for path in self._containers.iterdir() if path.is_dir()))

    def _load(self, path: Path, decode: Callable[[object], T]) -> T | None:
        try:
            if path.stat().st_size > LARGEST_RECORD:
                raise Corrupt("larger than any record")
            return decode(json.loads(path.read_bytes()))
        except (OSError, ValueError, RecursionError, Corrupt) as error:
            aside = path.with_name(path.name + ".corrupt")
            try:
                path.replace(aside)
            except OSError:
                aside = path
            self._warnings.append(f"state file {path}: {error}; set aside as {aside.name}")
            return None

    def _save(self, path: Path, value: dict[str, object], *, durable: bool) -> None:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"))
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            write_atomic(path, text.encode(), durable=durable)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            reason = (error.strerror or str(error)).lower()
            raise (NoSpace if full else Failed)(f"state file {path}: {reason}") from error
