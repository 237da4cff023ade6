"""The records of all containers: in memory, on disk, and folded with what the kernel says.

Every change of a record goes through ``update``, so that what is kept is what is believed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace

from anyio import to_thread

from stacker.base.errors import StackerError
from stacker.engine.ports import State
from stacker.plan.container_specs import Process
from stacker.plan.network_specs import Sandbox
from stacker.plan.observed import Exit, Health, ObservedContainer, Status
from stacker.plan.records import ContainerRecord
from stacker.plan.restart import failures_after

log = logging.getLogger(__name__)


class ContainerRecords:
    """All containers of all stacks, by id."""

    def __init__(self, state: State, *, boot_id: str) -> None:
        self._state = state
        self._boot_id = boot_id
        self._records: dict[str, ContainerRecord] = {}
        self._unsaved: set[str] = set()

    def load(self) -> None:
        """Read what the last supervisor kept; processes of an earlier boot are forgotten."""
        for record in self._state.load_containers():
            if record.boot_id != self._boot_id:
                record = replace(record.after_reboot(), boot_id=self._boot_id)
                self._save(record)
            self._records[record.id] = record

    def of_stack(self, stack: str) -> tuple[ContainerRecord, ...]:
        return tuple(r for r in self._records.values() if r.stack == stack)

    def all(self) -> tuple[ContainerRecord, ...]:
        return tuple(self._records.values())

    def get(self, container_id: str) -> ContainerRecord | None:
        return self._records.get(container_id)

    def add(self, record: ContainerRecord) -> None:
        self._state.save_container(record)
        self._records[record.id] = record

    def update(
        self, container_id: str, change: Callable[[ContainerRecord], ContainerRecord]
    ) -> ContainerRecord | None:
        """Change a record and keep it; None when the container is gone meanwhile."""
        record = self._records.get(container_id)
        if record is None:
            return None
        changed = change(record)
        if changed != record or container_id in self._unsaved:
            self._records[container_id] = changed
            self._save(changed)
        return changed

    def end(self, container_id: str, process: Process) -> ContainerRecord | None:
        """Note the end of a container's process; None when it is not the one that was running."""
        record = self._records.get(container_id)
        if record is None or (process.pid, process.start_time) != (record.pid, record.start_time):
            return None
        return self.update(container_id, lambda r: ended(r, process))

    def _save(self, record: ContainerRecord) -> None:
        """Keep what has happened already: a full disk does not undo it, and is tried again."""
        try:
            self._state.save_container(record)
            self._unsaved.discard(record.id)
        except StackerError as error:
            if record.id not in self._unsaved:
                log.warning("container %s: %s", record.name, error)
            self._unsaved.add(record.id)

    async def remove(self, container_id: str) -> None:
        self._unsaved.discard(container_id)
        self._records.pop(container_id, None)
        # its writable layer may hold a great many files
        await to_thread.run_sync(self._state.remove_container, container_id)


def ended(record: ContainerRecord, process: Process) -> ContainerRecord:
    """Fold the end of its process into a record."""
    at = process.at if process.at is not None else (record.started_at or record.created_at)
    ran_s = max(0.0, at - (record.started_at or at))
    return replace(
        record,
        pid=None,
        start_time=None,
        health=Health.NONE,
        health_detail="",
        failures=failures_after(record.failures, ran_s=ran_s, settled_s=record.settled_s),
        exit=Exit(code=process.code, at=at, oom=process.oom, signal=process.signal),
    )


def observed(
    record: ContainerRecord, process: Process | None, sandbox: Sandbox | None
) -> ObservedContainer:
    """Say what is true of one container: the kernel first, the record for the rest."""
    running = (
        process is not None
        and process.running
        and (process.pid, process.start_time) == (record.pid, record.start_time)
    )
    if running:
        status = Status.RUNNING
    elif record.exit is not None or record.pid is not None:
        status = Status.EXITED
    else:
        status = Status.CREATED

    problem = sandbox.problem if sandbox is not None else None
    return ObservedContainer(
        id=record.id,
        name=record.name,
        stack=record.stack,
        service=record.service,
        index=record.index,
        fingerprint=record.fingerprint,
        image=record.image,
        image_id=record.image_id,
        status=status,
        pid=record.pid if running else None,
        start_time=record.start_time if running else None,
        created_at=record.created_at,
        started_at=record.started_at,
        exit=record.exit,
        restarts=record.restarts,
        failures=record.failures,
        stopped_by_user=record.stopped_by_user,
        health=record.health if running else Health.NONE,
        health_detail=record.health_detail,
        problem=problem,
        joined=record.joined,
        endpoints=sandbox.endpoints if sandbox is not None else (),
        ports=sandbox.ports if sandbox is not None else (),
    )


def missed_exits(
    records: Iterable[ContainerRecord], processes: dict[str, Process]
) -> tuple[tuple[ContainerRecord, Process], ...]:
    """Return the containers that a record calls running and whose process has ended unseen."""
    missed: list[tuple[ContainerRecord, Process]] = []
    for record in records:
        if record.pid is None or record.start_time is None:
            continue
        process = processes.get(record.id)
        if process is None or (process.pid, process.start_time) != (record.pid, record.start_time):
            process = Process(pid=record.pid, start_time=record.start_time, running=False)
        if not process.running:
            missed.append((record, process))
    return tuple(missed)
