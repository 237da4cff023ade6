"""What the monitor does for each request: one method for each row of ``runtime.wire.messages``.

The fds of a request are closed after its method has returned; a method that keeps one takes a
duplicate.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from runtime.monitor import processes as process_table
from runtime.monitor.clients import Client
from runtime.monitor.fork import Programs
from runtime.monitor.loop import Loop
from runtime.monitor.pipes import Outputs
from runtime.monitor.processes import Early, Process, Processes
from runtime.monitor.spawn_stdio import SpawnStdio
from runtime.wire.messages import (
    MOST_FDS,
    VERSION,
    Adopt,
    Attach,
    Call,
    Done,
    Drop,
    Fetch,
    Forget,
    Hello,
    Keep,
    List,
    Listing,
    Message,
    Names,
    Refused,
    Result,
    Shutdown,
    Spawn,
    Started,
    Welcome,
)

_MOST_OUTPUT = 48 * 1024
_MOST_KEPT = 16384

Finish = Callable[[int], None]


class Server:
    """Requests in, effects and answers out."""

    def __init__(self, loop: Loop, programs: Programs, processes: Processes, devnull: int) -> None:
        self._loop = loop
        self._programs = programs
        self._processes = processes
        self._devnull = devnull
        self._children: dict[int, Finish] = {}
        self._spawning = 0
        self._early: dict[int, Early] = {}
        self._kept: dict[str, list[int]] = {}
        self.may_end = False
        self._actions: dict[type[Any], Callable[[Client, int, Any, list[int]], None]] = {
            Hello: self._hello,
            Spawn: self._spawn,
            Call: self._call,
            Adopt: self._adopt,
            List: self._list,
            Names: self._names,
            Attach: self._attach,
            Forget: self._forget,
            Keep: self._keep,
            Fetch: self._fetch,
            Drop: self._drop,
            Shutdown: self._shutdown,
        }

    @property
    def busy(self) -> bool:
        """Whether something would be lost if the monitor ended."""
        return bool(self._children) or bool(self._processes.keys())

    def serve(self, client: Client, number: int, message: Message, fds: list[int]) -> None:
        action = self._actions.get(type(message))
        if action is None or not (client.greeted or isinstance(message, Hello)):
            client.close()
            return
        try:
            action(client, number, message, fds)
        except OSError as error:
            client.answer(number, Refused(0, f"{error.strerror or error}".lower()))

    def reap(self) -> None:
        """Take the ends of all children; called when SIGCHLD has come."""
        while True:
            try:
                # first only looked at: as long as it is a zombie, its pid is nobody else's
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            pid = ended.si_pid
            signal = 0 if ended.si_code == os.CLD_EXITED else ended.si_status
            code = 128 + signal if signal else ended.si_status
            finish = self._children.pop(pid, None)
            if finish is None and self._spawning and not self._processes.has_pid(pid):
                self._early[pid] = Early(
                    process_table.start_time_of(pid) or 0, os.pidfd_open(pid), code, signal
                )
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)
            if finish is not None:
                finish(code)
            elif pid not in self._early:
                self._processes.reaped(pid, code, signal)

    def _hello(self, client: Client, number: int, hello: Hello, _fds: list[int]) -> None:
        client.greeted = True
        self.may_end = hello.may_end
        client.answer(number, Welcome(VERSION, os.getpid()))

    def _spawn(self, client: Client, number: int, spawn: Spawn, fds: list[int]) -> None:
        known = self._processes.get(spawn.key)
        if known is not None and not known.ended:
            client.answer(number, Refused(0, f"{spawn.key} runs already"))
            return

        stdio = SpawnStdio(spawn.stdio, fds, self._loop, self._devnull)
        argv = stdio.fill_in(spawn.argv)
        try:
            pid, errors = self._programs.start(argv, spawn.environment, stdio.ends)
        except OSError:
            stdio.discard()
            raise
        finally:
            stdio.close_ends()

        def finish(code: int) -> None:
            self._spawning -= 1
            text = _take(errors)
            try:
                self._finish_spawn(client, number, spawn, stdio, code, text)
            except OSError as error:
                # out of file descriptors, say: whoever waits hears of it, and others are reaped
                stdio.discard()
                client.answer(number, Refused(1, f"{error.strerror or error}".lower()))
            if not self._spawning:
                self._forget_early()

        self._spawning += 1
        self._children[pid] = finish

    def _finish_spawn(
        self, client: Client, number: int, spawn: Spawn, stdio: SpawnStdio, code: int, text: str
    ) -> None:
        """The runtime has ended: tell of the process that it left, or why there is none."""
        master = stdio.receive_terminal()
        try:
            process = self._born(spawn, stdio.outputs) if code == 0 else None
            if process is None:
                stdio.discard()
                client.answer(number, Refused(code or 1, text or "process ended at once"))
            else:
                self._announce(client, number, process, master)
        finally:
            if master >= 0:
                os.close(master)

    def _born(self, spawn: Spawn, outputs: Outputs | None) -> Process | None:
        """Find the process that a runtime has left behind."""
        try:
            with open(spawn.pid_file, "rb") as file:
                pid = int(file.read(32))
        except (OSError, ValueError):
            return None
        early = self._early.get(pid)
        start_time = early.start_time if early else process_table.start_time_of(pid)
        if start_time is None:
            return None
        process = Process(spawn.key, pid, start_time, outputs=outputs, journal=spawn.journal)
        process.pidfd = os.dup(early.pidfd) if early else os.pidfd_open(pid)
        self._processes.born(process)
        return process

    def _announce(self, client: Client, number: int, process: Process, master: int) -> None:
        fds = (process.pidfd,) if master < 0 else (process.pidfd, master)
        client.answer(number, Started(process.pid, process.start_time), fds)
        early = self._early.pop(process.pid, None)
        if early is not None:
            os.close(early.pidfd)
            self._processes.reaped(process.pid, early.code, early.signal)

    def _forget_early(self) -> None:
        for early in self._early.values():
            os.close(early.pidfd)
        self._early.clear()

    def _call(self, client: Client, number: int, call: Call, _fds: list[int]) -> None:
        output, said = (os.memfd_create(name, os.MFD_CLOEXEC) for name in ("output", "said"))
        try:
            pid, errors = self._programs.start(
                call.argv, call.environment, (self._devnull, output, said)
            )
        except OSError:
            os.close(output)
            os.close(said)
            raise

        def finish(code: int) -> None:
            text = _take(errors)
            client.answer(number, Result(code, _take(output), _take(said) or text))

        self._children[pid] = finish

    def _adopt(self, client: Client, number: int, adopt: Adopt, fds: list[int]) -> None:
        known = self._processes.get(adopt.key)
        if known is not None and not known.ended:
            client.answer(number, Refused(0, f"{adopt.key} is held already"))
            return
        outputs = None
        if adopt.stdio.kind in ("log", "pty"):
            outputs = Outputs(adopt.stdio, self._loop, self._devnull)
        if outputs is not None and adopt.stdio.kind == "log":
            outputs.open(fresh=False)
        if outputs is not None and len(fds) > 1:
            outputs.take_terminal(os.dup(fds[1]))
        process = Process(adopt.key, adopt.pid, adopt.start_time, outputs=outputs, journal=True)
        process.pidfd = os.dup(fds[0]) if fds else -1
        self._processes.adopt(process)
        client.answer(number, Done())

    def _list(self, client: Client, number: int, _list: List, _fds: list[int]) -> None:
        client.answer(number, Listing(self._processes.keys()))

    def _names(self, client: Client, number: int, _names: Names, _fds: list[int]) -> None:
        client.answer(number, Listing(sorted(self._kept)))

    def _attach(self, client: Client, number: int, attach: Attach, _fds: list[int]) -> None:
        process = self._processes.get(attach.key)
        writer = process.outputs.writer if process is not None and process.outputs else -1
        if writer < 0:
            client.answer(number, Refused(0, f"{attach.key} has no open input"))
        else:
            client.answer(number, Done(), (writer,))

    def _forget(self, client: Client, number: int, forget: Forget, _fds: list[int]) -> None:
        done = self._processes.forget(forget.key)
        client.answer(number, Done() if done else Refused(0, f"{forget.key} still runs"))

    def _keep(self, client: Client, number: int, keep: Keep, fds: list[int]) -> None:
        if sum(map(len, self._kept.values())) + len(fds) > _MOST_KEPT:
            client.answer(number, Refused(0, f"{keep.name}: too many are kept"))
            return
        if not keep.more:
            self._let_go(keep.name)
        self._kept.setdefault(keep.name, []).extend(os.dup(fd) for fd in fds)
        client.answer(number, Done())

    def _fetch(self, client: Client, number: int, fetch: Fetch, _fds: list[int]) -> None:
        kept = self._kept.get(fetch.name, [])
        client.answer(number, Done(), tuple(kept[fetch.first : fetch.first + MOST_FDS]))

    def _drop(self, client: Client, number: int, drop: Drop, _fds: list[int]) -> None:
        self._let_go(drop.name)
        client.answer(number, Done())

    def _let_go(self, name: str) -> None:
        for fd in self._kept.pop(name, []):
            os.close(fd)

    def _shutdown(self, client: Client, number: int, _shutdown: Shutdown, _fds: list[int]) -> None:
        if self.busy:
            client.answer(number, Refused(0, "containers still run"))
            return
        client.answer(number, Done())
        self._loop.end()


def _take(memory: int) -> str:
    """Return what a child has written into a memory file, bounded, and close it."""
    content = os.pread(memory, _MOST_OUTPUT, 0)
    os.close(memory)
    return content.decode("utf-8", "replace").strip()
