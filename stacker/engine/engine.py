"""The engine's face: what the daemon's handlers call, and the only thing they know of it.

Owns one ``StackLoop`` for each stack, the tasks that wake them (ends of processes, changes of
the network, saved files), and the events. Used as ``async with Engine(...)``; leaving it leaves
every container running.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import TaskGroup

from stacker.base.errors import Conflict, Failed, NotFound, StackerError
from stacker.engine import declare, look
from stacker.engine.contents import Contents
from stacker.engine.disk import Disk
from stacker.engine.endure import endure
from stacker.engine.image_making import ImageMaking
from stacker.engine.image_registry import ImageRegistry
from stacker.engine.image_store import ImageStore
from stacker.engine.keep_room import images_in_use, keep_room
from stacker.engine.loops import Loops
from stacker.engine.observe import observe, observe_containers
from stacker.engine.ports import ExecSession, State, WatchFiles
from stacker.engine.services import Services
from stacker.engine.stack_loop import Ending, StackLoop
from stacker.engine.supervise import adopt, follow_exits, follow_networks, sweep
from stacker.engine.tools import Tools
from stacker.engine.views import LogChunk, StackState, UpOutcome, WaitOutcome, stack_state
from stacker.engine.watch import Watches
from stacker.plan.container_specs import ExecRequest, StatsSample
from stacker.plan.declaration import Declaration
from stacker.plan.desired import Desired
from stacker.plan.events import Event
from stacker.plan.plan import Plan
from stacker.plan.reconcile import reconcile
from stacker.plan.records import StackRecord

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 0.01
"""Whether a process has run long enough changes with time alone."""


class Engine:
    def __init__(self, tools: Tools, state: State, *, watch_files: WatchFiles) -> None:
        self._tools = tools
        self._state = state
        self._watch_files = watch_files
        self._loops = Loops(tools)
        self.services = Services(tools, self._loops)
        self.images = ImageStore(tools)
        self.disk = Disk(tools, state, self._loops)
        self.registries = ImageRegistry(tools)
        self.making = ImageMaking(tools, self._loops)
        self._ended: dict[str, StackLoop] = {}
        """The latest loop of each name that has ended: who waits for it asks a moment later."""
        self._watches: Watches | None = None
        self._exit_stack = AsyncExitStack()
        self._group: TaskGroup | None = None
        self._emptied = anyio.Event()

    async def __aenter__(self) -> Self:
        """Adopt what runs, and go on with every stack that was declared."""
        try:
            await self._begin()
        except BaseException:
            await self._exit_stack.aclose()
            raise
        return self

    async def _begin(self) -> None:
        self._group = await self._exit_stack.enter_async_context(anyio.create_task_group())
        self._exit_stack.callback(self._group.cancel_scope.cancel)
        self._watches = Watches(self._group, self._watch_files, self._apply)
        self._tools.records.load()
        records = [(r, d) for r in self._state.load_stacks() if (d := self._restored(r))]
        await adopt(self._tools, [desired for _, desired in records])
        await sweep(self._tools, self._state)
        for record, desired in records:
            loop = self._make_loop(record.name)
            loop.restore(record, desired)
            if record.watch:
                self._watches.start(record.name, declare.declaration_of(record), record.stack)
        for warning in self._state.take_warnings():
            self._warn(warning)
        self._tools.tell_warnings()

        for task, run in (
            ("keep events", self._tools.bus.keep),
            ("follow exits", partial(follow_exits, self._tools, self._wake)),
            ("follow networks", partial(follow_networks, self._tools, self._wake_all)),
            ("keep room", partial(keep_room, self._tools, self.images_in_use)),
        ):
            self._group.start_soon(endure, task, run)
        for loop in self._loops.values():
            self._group.start_soon(self._run_loop, loop)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self._exit_stack.__aexit__(kind, error, traceback)

    # ---- stacks

    async def up(
        self,
        declaration: Declaration,
        *,
        pull: str | None = None,
        services: tuple[str, ...] = (),
        force_recreate: bool = False,
    ) -> UpOutcome:
        """Load and check a declaration and have it staged; follow the events, or ``wait``."""
        loaded = await declare.load(declaration)
        name = loaded.stack.name
        since = self._tools.bus.seq
        loop = self._loops.get(name)
        if loop is not None and loop.is_ending:
            raise Conflict(f"stack {name} is being taken down")
        candidate = declare.candidate(
            declaration,
            loaded,
            before=loop,
            records=self._tools.records,
            pull=pull,
            services=services,
            force_recreate=force_recreate,
        )
        is_new = loop is None
        loop = loop or self._make_loop(name)
        generation = loop.propose(candidate)
        if is_new:
            self._tasks.start_soon(self._run_loop, loop)
        self._stop_watching(name)
        if declaration.watch and self._watches is not None:
            self._watches.start(name, declaration, candidate.record.stack)
        return UpOutcome(
            stack=name,
            generation=generation,
            since=since,
            warnings=(*loaded.warnings, *self._tools.launcher.warnings(loaded.stack)),
        )

    async def wait(self, stack: str, generation: int, *, healthy: bool) -> WaitOutcome:
        """Wait until a generation is accepted and true (``healthy``: and healthy), or cannot be."""
        loop = self._loops.get(stack) or self._ended.get(stack) or self._loops.named(stack)
        while True:
            if generation in loop.rejected:
                return WaitOutcome(ok=False, problems=(loop.rejected[generation],))
            if loop.ended.is_set():
                return WaitOutcome(ok=False, problems=(f"stack {stack} was taken down",))
            if loop.desired is not None and loop.desired.generation > generation:
                return WaitOutcome(ok=False, problems=("a later `up` has replaced this one",))
            if loop.desired is not None and loop.desired.generation == generation:
                verdict = loop.verdict(healthy=healthy)
                if verdict.settled:
                    return WaitOutcome(ok=not verdict.failures, problems=verdict.failures)
            with anyio.move_on_after(LOOK_AGAIN_S):
                await loop.next_change()

    async def plan(self, declaration: Declaration) -> Plan:
        """Say what ``up`` would do now, without doing any of it."""
        loaded = await declare.load(declaration)
        name = loaded.stack.name
        candidate = declare.candidate(
            declaration,
            loaded,
            before=self._loops.get(name),
            records=self._tools.records,
            pull=None,
            services=(),
            force_recreate=False,
        )
        contents = await Contents(self._tools.volumes, loaded.stack).digests(candidate.secrets)
        observed = await observe(self._tools, name, candidate.desired, contents)
        return reconcile(candidate.desired, observed, now=self._tools.now())

    async def down(self, stack: str, *, volumes: bool, timeout_s: float | None) -> None:
        """Take a stack away, and wait until nothing of it is left."""
        loop = self._loops.named(stack)
        self._stop_watching(stack)
        loop.end(Ending(volumes=volumes, grace_s=timeout_s))
        number = loop.latest.number
        while not loop.ended.is_set():
            await loop.next_change()
            if loop.latest.number > number and loop.latest.failures:
                raise Failed("; ".join(str(failure) for failure in loop.latest.failures))

    def find_stack(self, *, project: str | None, files: tuple[str, ...], working_dir: str) -> str:
        """Say which stack a caller means: by name, by its files, or by where the caller stands."""
        return self._loops.find(project=project, files=files, working_dir=working_dir)

    async def stacks(self, only: str | None = None) -> tuple[StackState, ...]:
        """Return every declared stack, or only one, as it is now."""
        loops = [self._loops[name] for name in sorted(self._loops) if only in (None, name)]
        containers = await observe_containers(self._tools, [loop.name for loop in loops])
        states = (stack_state(loop, containers[loop.name]) for loop in loops)
        return tuple(state for state in states if state is not None)

    # ---- streams

    @property
    def last_event(self) -> int:
        """Number of the latest event."""
        return self._tools.bus.seq

    def events(self, *, since: int | None, follow: bool) -> AsyncIterator[Event]:
        return self._tools.bus.follow(since=since, forever=follow)

    def logs(
        self,
        stack: str,
        services: tuple[str, ...],
        *,
        tail: int | None,
        since: float | None,
        follow: bool,
    ) -> AsyncIterator[LogChunk]:
        names = self._loops.services(stack, services)
        return look.logs(
            self._tools, stack, frozenset(names), tail=tail, since=since, follow=follow
        )

    async def exec(
        self, stack: str, service: str, *, index: int, request: ExecRequest
    ) -> ExecSession:
        """Start a command in a running container."""
        self._loops.services(stack, (service,))
        for container in await self._loops.running(stack):
            if (container.service, container.index) == (service, index):
                return await self._tools.containers.exec(container.id, request)
        which = "" if index == 1 else f" {index}"
        raise NotFound(f"service {service} has no running container{which}")

    async def stats(self, stack: str | None) -> tuple[StatsSample, ...]:
        """Return one sample for each running container."""
        samples: list[StatsSample] = []
        for name in sorted(self._loops) if stack is None else [self._loops.named(stack).name]:
            running = await self._loops.running(name)
            for container in sorted(running, key=lambda c: (c.service, c.index)):
                sample = await look.sample(self._tools, container)
                if sample is not None:
                    samples.append(sample)
        return tuple(samples)

    # ---- looking

    async def inspect(self, stack: str, name: str) -> dict[str, object]:
        """Return all that is known about one container: by name, by service, or by id."""
        desired = self._loops.named(stack).desired
        for record in self._tools.records.of_stack(stack):
            if name in (record.name, record.service, record.id, record.id[:12]):
                declared = desired.stack.services.get(record.service) if desired else None
                return await look.inspect(self._tools, record, declared)
        raise NotFound(f"stack {stack} has no container {name}")

    def images_in_use(self) -> frozenset[str]:
        """Return what no image may be removed for: see ``keep_room``."""
        return images_in_use(self._tools, self._loops.values())

    @property
    def apparmor(self) -> str:
        return self._tools.apparmor

    @property
    def layers(self) -> str:
        return self._tools.layers

    @property
    def seals(self) -> str:
        return self._tools.seals

    @property
    def is_empty(self) -> bool:
        return not self._loops

    async def until_empty(self) -> None:
        """Wait until the last stack is down."""
        while self._loops:
            await self._emptied.wait()

    async def reload(self) -> None:
        """Read the files of every stack again and apply what changed (SIGHUP)."""
        for loop in list(self._loops.values()):
            if loop.record is not None:
                await self._apply(loop.name, declare.declaration_of(loop.record))

    # ---- the inside

    @property
    def _tasks(self) -> TaskGroup:
        if self._group is None:
            raise RuntimeError("the engine is used outside `async with`")
        return self._group

    def _restored(self, record: StackRecord) -> Desired | None:
        try:
            return declare.restored(record)
        except StackerError as error:
            self._warn(str(error))
            return None

    def _make_loop(self, name: str) -> StackLoop:
        loop = StackLoop(name, self._tools, self._state, tasks=self._tasks)
        self._loops[name] = loop
        return loop

    async def _run_loop(self, loop: StackLoop) -> None:
        await loop.run()
        if loop.ended.is_set() and self._loops.get(loop.name) is loop:
            del self._loops[loop.name]
            self._ended[loop.name] = loop
            self._stop_watching(loop.name)
            if not self._loops:
                self._emptied.set()
                self._emptied = anyio.Event()

    def _wake(self, stack: str) -> None:
        if stack in self._loops:
            self._loops[stack].wake()

    def _wake_all(self) -> None:
        for loop in self._loops.values():
            loop.wake()

    def _stop_watching(self, stack: str) -> None:
        if self._watches is not None:
            self._watches.stop(stack)

    async def _apply(self, name: str, declaration: Declaration) -> None:
        """Apply the files as they are; a broken one keeps the last good declaration."""
        try:
            loaded = await declare.load(declaration)
            loop = self._loops.get(name)
            if loop is None or loop.is_ending:
                return  # taken down while its files were read
            candidate = declare.candidate(
                declaration,
                loaded,
                before=loop,
                records=self._tools.records,
                pull=None,
                services=(),
                force_recreate=False,
            )
        except StackerError as error:
            self._warn(f"stack {name} stays as it is: {error}", stack=name)
            return
        loop.propose(candidate)

    def _warn(self, message: str, *, stack: str = "") -> None:
        log.warning("%s", message)
        self._tools.bus.emit("warning", message, stack=stack)
