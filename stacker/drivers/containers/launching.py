"""Starts and removes containers: the bundle directory, the runtime's command, the monitor."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import anyio

from runtime.wire.messages import (
    BUILTIN,
    Call,
    Refused,
    Result,
    Spawn,
    Started,
    Stdio,
    decode,
    encode,
)
from stacker.base import atomic, canonical_json
from stacker.base.errors import Failed
from stacker.drivers.containers import cgroups, kernel
from stacker.drivers.containers.monitor import LAUNCH, Monitor
from stacker.drivers.containers.paths import Paths
from stacker.drivers.containers.runtimes import ENVIRONMENT, Runtime, find_program
from stacker.drivers.containers.table import Table
from stacker.plan import container_specs
from stacker.plan.container_specs import Launch

_KILLED_WITHIN_S = 10.0
_LOOK_AGAIN_S = 0.02


class Launcher:
    def __init__(
        self, paths: Paths, table: Table, monitor: Monitor, default_runtime: str | None
    ) -> None:
        self._paths = paths
        self._table = table
        self._monitor = monitor
        self._default = default_runtime or BUILTIN

    async def start(self, launch: Launch) -> container_specs.Started:
        container_id = launch.container_id
        bundle = self._paths.bundle(container_id)
        program = find_program(launch.runtime or self._default)
        await self.clear(container_id)
        self._table.remove(container_id)

        runtime = self._runtime(program, bundle)
        spawn = self._prepare(launch, bundle, runtime)
        started: container_specs.Started | None = None
        # not to be cut off: the process would run and nobody here would know it
        with self._table.starting(container_id), anyio.CancelScope(shield=True):
            started = await self._spawn(spawn, runtime)
        assert started is not None
        return started

    async def _spawn(self, spawn: Spawn, runtime: Runtime) -> container_specs.Started:
        container_id = spawn.key
        reply = await self._monitor.request(spawn)
        message = reply.message
        if not isinstance(message, Started):
            reply.close()
            said = message.message if isinstance(message, Refused) else ""
            await self.clear(container_id)
            reason = runtime.last_error() or said or "the runtime gave no reason"
            raise Failed(f"{Path(runtime.program).name}: {reason}")

        fds = (reply.take_fd(), reply.take_fd())
        entry = self._table.started(container_id, message.pid, message.start_time, fds)
        return container_specs.Started(pid=entry.pid, start_time=entry.start_time)

    async def clear(self, container_id: str) -> None:
        """Remove what a runtime holds of this container, running or not; idempotent."""
        bundle = self._paths.bundle(container_id)
        was_launched = (bundle / LAUNCH).exists()
        # also where somebody has taken the bundle away: the runtime's state says as much
        for program in self._programs_holding(container_id):
            was_launched = True
            await self._delete_from_runtime(container_id, self._runtime(program, bundle))

        entry = self._table.get(container_id)
        if entry is None and cgroups.signal_all(cgroups.of_container(container_id), signal.SIGKILL):
            was_launched = True  # every note about it is lost, but not where it runs
        if entry is None and was_launched:
            # a start whose supervisor was killed, or cancelled, before it saw the answer
            await self._until_forgotten(container_id)
        if entry is None or not entry.running:
            return
        if entry.pidfd is not None:
            kernel.send_signal(entry.pidfd, signal.SIGKILL)
        with anyio.move_on_after(_KILLED_WITHIN_S):
            await entry.ended.wait()
        if entry.running:
            raise Failed(f"container {container_id}: delete: its process does not end")

    async def _until_forgotten(self, container_id: str) -> None:
        with anyio.move_on_after(_KILLED_WITHIN_S):
            while True:
                if await self._monitor.forget(container_id):
                    return
                await anyio.sleep(_LOOK_AGAIN_S)
        raise Failed(f"container {container_id}: delete: its process does not end")

    def _programs_holding(self, container_id: str) -> list[str]:
        """Return the runtimes that keep state of a container; at most one, if all went well."""
        found = sorted(self._paths.runtime_states.glob(f"*/{container_id}"))
        names = [path.parent.name for path in found]
        try:
            launched = self._launched_by(container_id)
        except (OSError, ValueError):
            return [find_program(name) for name in names]
        others = [find_program(name) for name in names if name != Path(launched).name]
        return [launched, *others] if len(others) < len(names) else others

    async def _delete_from_runtime(self, container_id: str, runtime: Runtime) -> None:
        os.makedirs(runtime.log.parent, 0o700, exist_ok=True)
        reply = await self._monitor.request(Call(runtime.delete(container_id), ENVIRONMENT))
        match reply.message:
            case Result(code=0):
                pass
            case Result(errors=said) | Refused(message=said):
                raise Failed(
                    f"delete: {Path(runtime.program).name}: {runtime.last_error() or said}"
                )
            case _:
                raise Failed("delete: the monitor answers wrongly")

    async def forget(self, container_id: str) -> None:
        """Remove the bundle directory and every trace of its process."""
        entry = self._table.get(container_id)
        if entry is not None:
            cgroups.remove_empty(entry.cgroups)
        await self._until_forgotten(container_id)
        self._table.remove(container_id)
        shutil.rmtree(self._paths.bundle(container_id), ignore_errors=True)

    def runtime_of(self, container_id: str) -> Runtime:
        """Return the runtime that started the container."""
        try:
            program = self._launched_by(container_id)
        except (OSError, ValueError) as error:
            holding = self._programs_holding(container_id)
            if not holding:
                raise Failed(f"container {container_id}: how it was started is lost") from error
            program = holding[0]
        return self._runtime(program, self._paths.bundle(container_id))

    def _launched_by(self, container_id: str) -> str:
        _, launched = decode((self._paths.bundle(container_id) / LAUNCH).read_bytes())
        if not isinstance(launched, Spawn):
            raise ValueError(f"{LAUNCH} holds something else")
        return launched.argv[0]

    def _runtime(self, program: str, bundle: Path) -> Runtime:
        return Runtime(
            program=program, state=self._paths.runtime_state(program), log=bundle / "runtime.log"
        )

    def _prepare(self, launch: Launch, bundle: Path, runtime: Runtime) -> Spawn:
        pid_file = bundle / "pid"
        logs = self._paths.logs(launch.container_id)
        spawn = Spawn(
            launch.container_id,
            runtime.run(
                launch.container_id, bundle=bundle, pid_file=pid_file, console=launch.terminal
            ),
            ENVIRONMENT,
            str(pid_file),
            Stdio(
                "pty" if launch.terminal else "log",
                str(bundle),
                str(logs),
                launch.log.max_size,
                launch.log.max_files,
                launch.stdin_open,
            ),
            True,
        )
        try:
            for directory in (bundle, logs, runtime.state):
                os.makedirs(directory, 0o700, exist_ok=True)
            pid_file.unlink(missing_ok=True)
            (bundle / "config.json").write_bytes(canonical_json.dumps(launch.spec))
            # the next supervisor reads it, also when this one is killed here
            atomic.write_atomic(bundle / LAUNCH, encode(0, spawn), durable=False)
        except OSError as error:
            raise Failed(f"start: write {bundle.name}: {error.strerror}".lower()) from error
        return spawn
