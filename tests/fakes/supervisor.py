"""The real supervisor process over an engine without containers, for tests of the socket.

Everything but the engine is real: process, lock, socket, server, handlers, events. The engine
keeps stacks in memory; ``exec`` runs the command on the host. Run as a script.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
from anyio import to_thread
from anyio.abc import Process

from runtime.wire import frames
from stacker.base.errors import Invalid, NotFound
from stacker.daemon.main import main
from stacker.engine.bus import Bus
from stacker.engine.views import LogChunk, StackState, UpOutcome, WaitOutcome
from stacker.plan.container_specs import ExecRequest, StatsSample
from stacker.plan.declaration import Declaration
from stacker.plan.events import Event
from stacker.plan.network_specs import PublishedPort
from stacker.plan.observed import Exit, Health, ObservedContainer, Status
from stacker.plan.operations import CreateContainer
from stacker.plan.plan import Plan, PlanBuilder
from stacker.stack.model import Service, Stack


class Memory:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def last_seq(self) -> int:
        return 0

    def add(self, events: object) -> None:
        self.events.extend(events)  # type: ignore[arg-type]

    def since(self, seq: int, *, limit: int = 10_000) -> list[Event]:
        return [event for event in self.events if event.seq > seq][:limit]


@dataclass
class FakeStack:
    name: str
    declaration: Declaration
    generation: int = 1
    stopped: bool = False
    started: float = field(default_factory=time.time)


class FakeEngine:
    def __init__(self) -> None:
        self.bus = Bus(Memory(), now=time.time)  # type: ignore[arg-type]
        self._stacks: dict[str, FakeStack] = {}
        self._changed = anyio.Event()
        self.services = self
        self.images = FakeImages()
        self.apparmor = "unavailable (off)"
        self.layers = "erofs (file)"
        self.seals = "fs-verity"

    @property
    def last_event(self) -> int:
        return self.bus.seq

    @property
    def is_empty(self) -> bool:
        return not self._stacks

    async def until_empty(self) -> None:
        while self._stacks:
            await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def reload(self) -> None:
        self.bus.emit("warning", "reloaded")

    def _named(self, name: str) -> FakeStack:
        if name not in self._stacks:
            raise NotFound(f"no stack is named {name}")
        return self._stacks[name]

    async def up(self, declaration: Declaration, **_: object) -> UpOutcome:
        if any("broken" in file for file in declaration.files):
            raise Invalid("unknown key 'imagee'", where="broken.yaml:3: services.web")
        name = declaration.project or os.path.basename(declaration.working_dir)
        since = self.bus.seq
        before = self._stacks.get(name)
        stack = FakeStack(name, declaration, before.generation + 1 if before else 1)
        self._stacks[name] = stack
        text = f"start container {name}-web-1"
        self.bus.emit("step.started", text, stack=name, step=1, text=text, cause="not there")
        self.bus.emit("step.done", text, stack=name, step=1, text=text, seconds=0.1)
        self.bus.emit("stack.converged", stack=name, generation=stack.generation, pending=0)
        return UpOutcome(stack=name, generation=stack.generation, since=since, warnings=("w1",))

    async def wait(self, stack: str, generation: int, *, healthy: bool) -> WaitOutcome:
        if stack == "stuck":
            await anyio.sleep_forever()
        if stack == "failing":
            return WaitOutcome(ok=False, problems=("failing-web-1 exited with 3",))
        return WaitOutcome(ok=True)

    async def plan(self, declaration: Declaration) -> Plan:
        if self._stacks:
            return Plan()
        plan = PlanBuilder()
        plan.add(
            CreateContainer(
                cause="not there", service="web", index=1, name="shop-web-1", fingerprint="f"
            )
        )
        return Plan(steps=plan.steps())

    async def down(self, stack: str, *, volumes: bool, timeout_s: float | None) -> None:
        self._named(stack)
        self.bus.emit("stack.removed", f"stack {stack} is down", stack=stack)
        del self._stacks[stack]
        self._tell()

    async def stop(self, stack: str, services: object, *, timeout_s: float | None) -> None:
        self._named(stack).stopped = True
        self.bus.emit("container.exit", "exited", stack=stack, container=f"{stack}-web-1", code=0)

    async def start(self, stack: str, services: object) -> None:
        self._named(stack).stopped = False

    async def restart(self, stack: str, services: object, *, timeout_s: float | None) -> None:
        self._named(stack)

    async def kill(self, stack: str, services: object, *, signal: str) -> None:
        await self.stop(stack, services, timeout_s=None)

    def find_stack(self, *, project: str | None, files: tuple[str, ...], working_dir: str) -> str:
        if project is not None:
            return self._named(project).name
        for stack in self._stacks.values():
            if working_dir == stack.declaration.working_dir:
                return stack.name
        raise NotFound("no stack is declared from here")

    async def stacks(self, only: str | None = None) -> tuple[StackState, ...]:
        names = [name for name in sorted(self._stacks) if only in (None, name)]
        return tuple(_state(self._stacks[name]) for name in names)

    def events(self, *, since: int | None, follow: bool) -> AsyncIterator[Event]:
        return self.bus.follow(since=since, forever=follow)

    def logs(
        self,
        stack: str,
        services: tuple[str, ...],
        *,
        tail: int | None,
        since: float | None,
        follow: bool,
    ) -> AsyncIterator[LogChunk]:
        return _logs(self._named(stack).name, follow=follow)

    async def exec(
        self, stack: str, service: str, *, index: int, request: ExecRequest
    ) -> HostProcess:
        self._named(stack)
        process = await anyio.open_process(
            request.args,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(pair.split("=", 1) for pair in (*request.env, "PATH=/usr/bin:/bin")),
        )
        return HostProcess(process)

    async def stats(self, stack: str | None) -> tuple[StatsSample, ...]:
        return tuple(
            StatsSample(container_id=f"id-{name}", at=time.time(), cpu_ns=5, memory_bytes=1 << 20)
            for name in self._stacks
        )

    async def inspect(self, stack: str, name: str) -> dict[str, object]:
        self._named(stack)
        return {"name": name}


class FakeImages:
    async def list(self) -> tuple[()]:
        return ()


async def _logs(stack: str, *, follow: bool) -> AsyncGenerator[LogChunk]:
    name = f"{stack}-web-1"
    for second, content in enumerate((b"one\ntwo\nthr", b"ee\n\x1b]0;x\x07\n")):
        written = frames.build((1_700_000_000 + second) * 10**9, frames.STDOUT, content)
        yield LogChunk(container=name, service="web", frames=written)
    while follow:
        await anyio.sleep_forever()


class HostProcess:
    """An ExecSession of a process on the host."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._open = [(1, process.stdout), (2, process.stderr)]

    async def read(self) -> tuple[int, bytes]:
        while self._open:
            number, stream = self._open[0]
            assert stream is not None
            try:
                return number, await stream.receive()
            except anyio.EndOfStream:
                self._open.pop(0)
        return 0, b""

    async def write(self, content: bytes) -> None:
        assert self._process.stdin is not None
        await self._process.stdin.send(content)

    async def close_stdin(self) -> None:
        assert self._process.stdin is not None
        await self._process.stdin.aclose()

    async def resize(self, rows: int, columns: int) -> None:
        await to_thread.run_sync(lambda: None)

    async def wait(self) -> int:
        return await self._process.wait()

    async def aclose(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.aclose()


def _state(stack: FakeStack) -> StackState:
    container = ObservedContainer(
        id=f"id-{stack.name}",
        name=f"{stack.name}-web-1",
        stack=stack.name,
        service="web",
        index=1,
        fingerprint="f",
        image_id="sha256:1",
        image="docker.io/library/web:1",
        status=Status.EXITED if stack.stopped else Status.RUNNING,
        exit=Exit(code=0, at=time.time()) if stack.stopped else None,
        started_at=stack.started,
        health=Health.HEALTHY,
        ports=(PublishedPort(target=80, published=8080, protocol="tcp", host_ip="0.0.0.0"),),
    )
    return StackState(
        name=stack.name,
        desired="stopped" if stack.stopped else "up",
        generation=stack.generation,
        files=stack.declaration.files,
        working_dir=stack.declaration.working_dir,
        stack=Stack(name=stack.name, services={"web": Service(image="web:1")}),
        containers=(container,),
        in_sync=True,
        next_at=None,
        problems=(),
        notes={},
        back_offs={},
    )


@asynccontextmanager
async def build(_: object) -> AsyncGenerator[FakeEngine]:
    yield FakeEngine()


def become_activated() -> None:
    """Do what systemd does between fork and exec for a socket-activated service."""
    passed = os.environ.pop("ACTIVATED_FD", None)
    if passed is not None:
        os.dup2(int(passed), 3)
        os.environ["LISTEN_PID"] = str(os.getpid())


if __name__ == "__main__":
    become_activated()
    sys.exit(main(sys.argv[1:], build=build))  # type: ignore[arg-type]
