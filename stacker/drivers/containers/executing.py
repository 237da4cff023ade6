"""Runs further processes in a container: sessions for a user, bounded runs for health checks.

They belong to the monitor like every process, but are in no journal: a session does not outlive
the supervisor that serves it.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import cast

import anyio

from runtime.linux.fds import open_in_root
from runtime.wire.messages import Refused, Spawn, Started, Stdio
from stacker.base import canonical_json
from stacker.base.errors import Failed, Unsupported
from stacker.base.facts import HostFacts
from stacker.bundle.exec import build_exec_process
from stacker.drivers.containers.launching import Launcher
from stacker.drivers.containers.monitor import Monitor, close_all
from stacker.drivers.containers.runtimes import ENVIRONMENT, exit_code_of
from stacker.drivers.containers.session import Session
from stacker.drivers.containers.table import Entry, Table
from stacker.plan.container_specs import ExecRequest, ExecResult

_LARGEST_ACCOUNTS = 4 * 1024 * 1024
_LARGEST_OUTPUT = 4096
_ENDS_WITHIN_S = 5.0


class Executor:
    def __init__(
        self, table: Table, monitor: Monitor, launcher: Launcher, facts: HostFacts | None
    ) -> None:
        self._table = table
        self._monitor = monitor
        self._launcher = launcher
        self._facts = facts
        self._numbers = count(1)

    async def open(self, entry: Entry, request: ExecRequest) -> Session:
        """Start the process; the session must be closed."""
        ours, theirs = _pipes(request)
        try:
            key, started, fds = await self._start(entry, request, theirs)
        except BaseException:
            close_all(ours)
            raise
        finally:
            close_all(theirs)
        pidfd, master = fds
        if request.tty and master is None:
            close_all((*ours, pidfd))
            self._table.unexpect(key)
            raise Failed(f"exec {request.args[0]}: the runtime gave no terminal")
        return Session(self._table, key, started.pid, pidfd=pidfd, terminal=master, pipes=ours)

    async def run(self, entry: Entry, request: ExecRequest, *, timeout_s: float) -> ExecResult:
        """Run to the end; at the timeout the process and its descendants are killed."""
        session = await self.open(entry, request)
        output = bytearray()

        async def collect() -> None:
            while (received := await session.read())[0]:
                output.extend(received[1])
                del output[:-_LARGEST_OUTPUT]

        try:
            code = None
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(collect)
                with anyio.move_on_after(timeout_s):
                    code = await session.wait()
                if code is None:
                    session.kill()
                    with anyio.move_on_after(_ENDS_WITHIN_S, shield=True):
                        await session.wait()
                # a grandchild may hold the pipe open: what is in it now is all that counts
                session.hang_up()
        finally:
            with anyio.CancelScope(shield=True):
                await session.aclose()
        text = bytes(output).decode("utf-8", "replace")
        return ExecResult(
            code=code if code is not None else 137, output=text, timed_out=code is None
        )

    async def _start(
        self, entry: Entry, request: ExecRequest, theirs: tuple[int, ...]
    ) -> tuple[str, Started, tuple[int | None, int | None]]:
        container_id = entry.container_id
        key = f"{container_id}.exec.{os.getpid()}.{next(self._numbers)}"
        runtime = self._launcher.runtime_of(container_id)
        bundle = runtime.log.parent
        process, pid_file = bundle / f"{key[65:]}.json", bundle / f"{key[65:]}.pid"
        try:
            process.write_bytes(canonical_json.dumps(self._process(entry, bundle, request)))
        except (OSError, ValueError) as error:
            raise Failed(f"exec: container {container_id}: its bundle: {error}".lower()) from error
        spawn = Spawn(
            key,
            runtime.exec(container_id, process=process, pid_file=pid_file, console=request.tty),
            ENVIRONMENT,
            str(pid_file),
            Stdio("console" if request.tty else "fds", str(bundle), "", 0, 0, False),
            False,
        )
        self._table.expect(key)
        try:
            reply = await self._monitor.request(spawn, theirs)
            if not isinstance(reply.message, Started):
                reply.close()
                refused = reply.message if isinstance(reply.message, Refused) else Refused(0, "")
                said = runtime.last_error() or refused.message
                code = exit_code_of(refused.code, said)
                raise Failed(f"exec: {said}", exit_code=code)
        except BaseException:
            self._table.unexpect(key)
            raise
        finally:
            process.unlink(missing_ok=True)
            pid_file.unlink(missing_ok=True)
        return key, reply.message, (reply.take_fd(), reply.take_fd())

    def _process(self, entry: Entry, bundle: Path, request: ExecRequest) -> dict[str, object]:
        spec = cast("Mapping[str, object]", json.loads((bundle / "config.json").read_bytes()))
        by_name = request.user is not None
        return build_exec_process(
            spec,
            self._host_facts(request),
            args=request.args,
            env=request.env,
            cwd=request.cwd,
            user=request.user,
            passwd=_read_in_container(entry.pid, "etc/passwd") if by_name else None,
            group=_read_in_container(entry.pid, "etc/group") if by_name else None,
            terminal=request.tty,
            console_size=(request.rows, request.columns) if request.tty else None,
            privileged=request.privileged,
        )

    def _host_facts(self, request: ExecRequest) -> HostFacts:
        if self._facts is not None:
            return self._facts
        if request.privileged:
            raise Unsupported("exec: privileged: what this host can give is not known")
        return HostFacts(
            architecture="",
            kernel=(0, 0, 0),
            cpus=1,
            memory_bytes=0,
            cgroup_mode="v2",
            cgroup_controllers=frozenset(),
        )


def _pipes(request: ExecRequest) -> tuple[tuple[int | None, ...], tuple[int, ...]]:
    """Make (our ends, the process's ends) of its three streams; a terminal needs none."""
    if request.tty:
        return (None, None, None), ()
    stdin, feed = os.pipe() if request.stdin else (os.open("/dev/null", os.O_RDONLY), None)
    out_read, out_write = os.pipe()
    errors_read, errors_write = os.pipe()
    for fd in (feed, out_read, errors_read):
        if fd is not None:
            os.set_blocking(fd, False)
    return (feed, out_read, errors_read), (stdin, out_write, errors_write)


def _read_in_container(pid: int, path: str) -> bytes | None:
    """Read a file of the container as if its root were ours; None when it is no plain file."""
    try:
        root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        # not blocking: a named pipe in its place must not hold us (CVE-2024-9676's family)
        fd = open_in_root(root, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return None
    finally:
        os.close(root)
    with open(fd, "rb") as file:
        described = os.fstat(fd)
        if not stat.S_ISREG(described.st_mode) or described.st_size > _LARGEST_ACCOUNTS:
            return None
        return file.read(_LARGEST_ACCOUNTS)
