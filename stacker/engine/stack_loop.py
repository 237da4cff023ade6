"""One stack: observe → plan → execute, again and again, until it is taken down.

Level-based: an event only wakes the loop; what is true is observed anew in each pass. A new
declaration is *staged* first (its images are fetched, its ports and subnets checked); only when
that succeeds does it replace the one that is being kept true, so a bad ``up`` changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import anyio
from anyio.abc import TaskGroup

from stacker.base.errors import StackerError
from stacker.engine.contents import Contents
from stacker.engine.execute import StepFailure, execute
from stacker.engine.health import HealthProbes
from stacker.engine.observe import observe
from stacker.engine.perform import Performer
from stacker.engine.ports import State
from stacker.engine.stage import stage
from stacker.engine.tools import Tools
from stacker.plan.desired import Desired
from stacker.plan.health import Check, check_of
from stacker.plan.observed import Observed, ObservedContainer
from stacker.plan.plan import Plan
from stacker.plan.reconcile import reconcile
from stacker.plan.records import StackRecord
from stacker.plan.teardown import teardown
from stacker.plan.verdict import Verdict, settle

log = logging.getLogger(__name__)

FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 60.0
"""Between passes of which steps failed: doubled each time."""
MOST_REPEATS = 3
"""Of a plan that succeeds and is found anew: something undoes it, or it does nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A declaration that is not accepted yet."""

    record: StackRecord
    desired: Desired
    secrets: dict[str, str]
    """The caller's environment, for configs and secrets that come from it."""

    def numbered(self, generation: int) -> Candidate:
        return replace(
            self,
            record=replace(self.record, generation=generation),
            desired=replace(self.desired, generation=generation),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What ``down`` asked for."""

    volumes: bool
    grace_s: float | None


class Staging:
    """One candidate on its way."""

    def __init__(self) -> None:
        self.scope = anyio.CancelScope()
        self.ended = anyio.Event()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What the latest pass saw, planned and could not do."""

    number: int = 0
    answered: int = 0
    """The latest question (``StackLoop.ask``) that it knew of."""
    observed: Observed = field(default_factory=Observed)
    plan: Plan = field(default_factory=Plan)
    failures: tuple[StepFailure, ...] = ()


class StackLoop:
    def __init__(self, name: str, tools: Tools, state: State, *, tasks: TaskGroup) -> None:
        self.name = name
        self.record: StackRecord | None = None
        """The accepted declaration; None while the first one is being staged."""
        self.desired: Desired | None = None
        self.latest = Pass()
        self.rejected: dict[int, str] = {}
        """Generation → why its declaration was not accepted."""
        self.proposed = 0
        """The latest generation given out: no two different declarations have the same."""
        self.ended = anyio.Event()
        """Set when the stack is down and forgotten."""
        self._tools = tools
        self._state = state
        self._is_kept = True
        """Whether the record is on the disk as it is here; if not, each pass tries again."""
        self._performer = Performer(tools, name)
        self._contents: dict[str, str] = {}
        self._candidate: Candidate | None = None
        self._staged: dict[str, str] | None = None
        """The digests of the candidate's contents: it is fit to be accepted."""
        self._asked_meanwhile: list[Callable[[Desired], Desired]] = []
        """What was asked while the candidate was being staged holds for it as well."""
        self._ending: Ending | None = None
        self._staging: Staging | None = None
        self._tasks = tasks
        self._woken = anyio.Event()
        self.changed = anyio.Event()
        """Set, and another put in its place, when a pass has ended or a declaration was accepted
        or rejected."""
        self._asked = 0
        self._asked_grace_s: float | None = None
        self._retry_s = 0.0
        self._done: Plan | None = None
        self._repeats = 0
        self._probes = HealthProbes(
            tools.containers,
            tools.records,
            tools.bus,
            tasks=tasks,
            wake=self.wake,
            now=tools.now,
        )

    @property
    def is_ending(self) -> bool:
        return self._ending is not None

    def restore(self, record: StackRecord, desired: Desired) -> None:
        """Go on with what an earlier supervisor had accepted."""
        self.record, self.desired = record, desired
        self._contents = dict(record.contents)
        self.proposed = record.generation

    def propose(self, candidate: Candidate) -> int:
        """Stage a new declaration; another that is still being staged is given up.

        Returns its generation: the one that is being staged, where that declares the same.
        """
        if self._candidate is not None:
            earlier = self._candidate.desired.generation
            if candidate.numbered(earlier) == self._candidate:
                return earlier
            self.rejected[earlier] = "a later `up` has replaced this one"
            self._tell_changed()
        self._give_up_staging()
        self.proposed = candidate.desired.generation
        self._candidate, self._staged = candidate, None
        self._asked_meanwhile.clear()
        self._staging = Staging()
        self._tasks.start_soon(self._stage, candidate, self._staging)
        return self.proposed

    def withdraw(self) -> None:
        """Give up what is being staged; the loop ends when nothing was accepted before."""
        self._give_up_staging()
        if self._candidate is not None:
            self._reject(
                self._candidate, f"stack {self.name} was stopped before it began", "conflict"
            )
        self.wake()

    def end(self, ending: Ending) -> None:
        """Take the stack down."""
        self._ending = ending
        self._give_up_staging()
        self.wake()

    def ask(self, change: Callable[[Desired], Desired], *, grace_s: float | None = None) -> int:
        """Change what is wanted beside the file: stopped services, restarts.

        Returns a number: a pass that has ``answered`` it, or a later one, has seen the change.
        """
        self._asked += 1
        if self.desired is None or self.record is None:
            return self._asked
        desired = change(self.desired)
        if desired.stopped != self.record.stopped:
            self.record = replace(self.record, stopped=desired.stopped)
            self._keep(self.record)
        self.desired, self._asked_grace_s = desired, grace_s
        if self._candidate is not None:
            self._asked_meanwhile.append(change)
        self.wake()
        return self._asked

    def _keep(self, record: StackRecord) -> None:
        """Note what the user has asked for; a full disk does not forbid to stop what fills it."""
        try:
            self._state.save_stack(record)
            self._is_kept = True
        except StackerError as error:
            if self._is_kept:
                message = f"stack {self.name}: what is stopped could not be noted yet: {error}"
                log.warning("%s", message)
                self._tools.bus.emit("warning", message, stack=self.name)
            self._is_kept = False

    def image_names(self) -> frozenset[str]:
        """What the declaration names as images, and one that is not accepted yet."""
        known = (self.desired, self._candidate.desired if self._candidate else None)
        return frozenset(
            service.image
            for desired in known
            if desired is not None
            for service in desired.stack.services.values()
        )

    def wake(self) -> None:
        self._woken.set()

    async def next_change(self) -> None:
        """Wait until a pass has ended, or a declaration was accepted or rejected."""
        await self.changed.wait()

    def verdict(self, *, healthy: bool) -> Verdict:
        """Say whether the latest pass found what is declared."""
        if self.desired is None or self.latest.number == 0:
            return Verdict(settled=False)
        if self.latest.failures:
            return Verdict(settled=True, failures=tuple(map(str, self.latest.failures)))
        return settle(
            self.desired,
            self.latest.observed,
            self.latest.plan,
            healthy=healthy,
            now=self._tools.now(),
        )

    async def run(self) -> None:
        """Keep the stack true until it is down."""
        try:
            while not self.ended.is_set():
                self._woken = anyio.Event()
                try:
                    wake_at = await self._once()
                except StackerError as error:
                    log.warning("stack %s: %s", self.name, error)
                    wake_at = self._retry_at()
                except Exception:
                    # a bug in one pass must not end the supervision of this stack
                    log.exception("stack %s: pass failed", self.name)
                    wake_at = self._retry_at()
                self._tools.tell_warnings()
                self._tell_changed()
                if not self.ended.is_set():
                    await self._sleep(wake_at)
        finally:
            self._probes.stop()

    async def _once(self) -> float | None:
        """Do one pass and return when to plan again at the latest."""
        if self.record is not None and not self._is_kept:
            self._keep(self.record)
        if self._ending is not None:
            return await self._take_down(self._ending)
        if self._candidate is not None and self._staged is not None:
            self._accept_staged(self._candidate, self._staged)
        if self.desired is None:
            if self._candidate is None and self._ending is None:
                self.ended.set()
            return None
        return await self._converge(self.desired)

    async def _stage(self, candidate: Candidate, staging: Staging) -> None:
        """Runs beside the passes: a registry that is slow keeps no container from its restart."""
        try:
            with staging.scope:
                contents = await stage(
                    self._tools, self._performer, candidate.desired, candidate.secrets
                )
                if self._candidate is candidate:
                    self._staged = contents
        except StackerError as error:
            self._reject(candidate, str(error), error.kind)
        except Exception:
            # whoever waits for this generation hears of it all the same
            log.exception("stack %s: staging failed", self.name)
            self._reject(candidate, "a bug: see the log of the supervisor", "internal")
        finally:
            staging.ended.set()
            self.wake()

    def _accept_staged(self, candidate: Candidate, contents: dict[str, str]) -> None:
        """Between two passes, so that none works towards two declarations."""
        try:
            self._accept(candidate, contents)
        except StackerError as error:
            self._reject(candidate, str(error), error.kind)
        self._candidate = self._staged = None

    def _accept(self, candidate: Candidate, contents: dict[str, str]) -> None:
        desired = candidate.desired
        for change in self._asked_meanwhile:
            desired = change(desired)
        record = replace(candidate.record, stopped=desired.stopped, contents=contents)
        self._state.save_stack(record)
        self.record, self.desired, self._contents = record, desired, contents
        self._retry_s = 0.0
        self.latest = Pass()
        self._tools.bus.emit(
            "stack.declared",
            f"stack {self.name} is declared",
            stack=self.name,
            generation=candidate.record.generation,
        )

    def _reject(self, candidate: Candidate, message: str, kind: str) -> None:
        if self._candidate is not candidate:
            return  # given up meanwhile
        self._candidate = None
        generation = candidate.record.generation
        self.rejected[generation] = message
        self._tools.bus.emit(
            "stack.failed",
            message,
            stack=self.name,
            generation=generation,
            errors=message,
            error_kind=kind,
        )
        self._tell_changed()

    async def _converge(self, desired: Desired) -> float | None:
        answered = self._asked
        self._performer.grace_s, self._asked_grace_s = self._asked_grace_s, None
        observed = await self._observe(desired)
        plan = reconcile(desired, observed, now=self._tools.now())
        self._performer.desired = desired
        if not plan.ready:
            self._note(
                Pass(number=self.latest.number + 1, answered=answered, observed=observed, plan=plan)
            )
            return plan.wake_at

        failures = await execute(plan, self._performer, bus=self._tools.bus, stack=self.name)
        self._forget_requests(desired)
        if not failures:
            return self._again(plan)
        self._note(
            Pass(
                number=self.latest.number + 1,
                answered=answered,
                observed=await self._observe(desired),
                plan=plan,
                failures=failures,
            )
        )
        return self._retry_at()

    def _again(self, done: Plan) -> float | None:
        """Look at once at what has become; not so when the very same steps change nothing."""
        self._repeats = self._repeats + 1 if done == self._done else 0
        self._done = done
        if self._repeats >= MOST_REPEATS:
            return self._retry_at()
        self._retry_s = 0.0
        self.wake()
        return None

    def _note(self, latest: Pass) -> None:
        """Keep what a pass found; tell it once when it is news."""
        before, self.latest = self.latest, latest
        was_quiet = before.number > 0 and not before.failures and before.plan == latest.plan
        generation = self.desired.generation if self.desired is not None else 0
        if latest.failures:
            errors = "; ".join(map(str, latest.failures))
            self._tools.bus.emit(
                "stack.failed", errors, stack=self.name, generation=generation, errors=errors
            )
        elif not was_quiet:
            self._tools.bus.emit(
                "stack.converged",
                f"stack {self.name}: "
                + ("as declared" if latest.plan.is_empty else "waiting for dependencies"),
                stack=self.name,
                generation=generation,
                pending=len(latest.plan.steps),
            )

    def _forget_requests(self, done: Desired) -> None:
        """Requests for one pass are fulfilled; those that came during the pass stay."""
        if self.desired is None:
            return
        self.desired = replace(
            self.desired,
            refresh=self.desired.refresh - done.refresh,
            policies={
                image: policy
                for image, policy in self.desired.policies.items()
                if done.policies.get(image) != policy
            },
            recreate=self.desired.recreate - done.recreate,
            restart=self.desired.restart - done.restart,
            rerun=self.desired.rerun - done.rerun,
        )

    async def _observe(self, desired: Desired) -> Observed:
        """Look at everything, and have the containers probed that are found."""
        observed = await observe(self._tools, self.name, desired, self._contents)
        checked = [(each, await self._check_of(each, desired)) for each in observed.containers]
        return replace(observed, containers=self._probes.sync(checked))

    async def _check_of(self, container: ObservedContainer, desired: Desired) -> Check | None:
        service = desired.stack.services.get(container.service)
        if service is None:
            return None
        image = await self._tools.images.find(container.image_id)
        return check_of(service.healthcheck, image.config.healthcheck if image else None)

    async def _take_down(self, ending: Ending) -> float | None:
        if self._staging is not None:
            await self._staging.ended.wait()
        self._probes.stop()
        stack = self.desired.stack if self.desired is not None else None
        observed = await observe(self._tools, self.name, None, {})
        plan = teardown(stack, observed, volumes=ending.volumes)
        self._performer.desired = None
        self._performer.grace_s = ending.grace_s
        failures = await execute(plan, self._performer, bus=self._tools.bus, stack=self.name)
        if failures:
            self._note(Pass(number=self.latest.number + 1, plan=plan, failures=failures))
            return self._retry_at()

        if stack is not None:
            await Contents(self._tools.volumes, stack).forget()
        self._state.remove_stack(self.name)
        self.record = self.desired = None
        self._tools.bus.emit("stack.removed", f"stack {self.name} is down", stack=self.name)
        self.ended.set()
        return None

    def _retry_at(self) -> float:
        self._retry_s = min(max(FIRST_RETRY_S, self._retry_s * 2), LONGEST_RETRY_S)
        return self._tools.now() + self._retry_s

    async def _sleep(self, wake_at: float | None) -> None:
        if wake_at is None:
            await self._woken.wait()
            return
        with anyio.move_on_after(max(0.0, wake_at - self._tools.now())):
            await self._woken.wait()

    def _give_up_staging(self) -> None:
        if self._staging is not None:
            self._staging.scope.cancel()

    def _tell_changed(self) -> None:
        self.changed.set()
        self.changed = anyio.Event()
