"""From a declaration to what can be staged: load the files, fold in what the user asks."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from anyio import to_thread

from stacker.base.errors import Corrupt, Invalid
from stacker.engine.containers import ContainerRecords
from stacker.engine.stack_loop import Candidate, StackLoop
from stacker.plan.declaration import Declaration
from stacker.plan.desired import Before, Desired
from stacker.plan.records import StackRecord
from stacker.stack.load.pipeline import LoadedStack, load_stack
from stacker.stack.model.stack import Stack


async def load(declaration: Declaration) -> LoadedStack:
    """Read, check and fold the files; the loader's errors name path and line."""

    def read() -> LoadedStack:
        return load_stack(
            [Path(file) for file in declaration.files],
            working_dir=Path(declaration.working_dir),
            environment=declaration.environment,
            project_name=declaration.project,
            profiles=declaration.profiles,
        )

    return await to_thread.run_sync(read)


def candidate(
    declaration: Declaration,
    loaded: LoadedStack,
    *,
    before: StackLoop | None,
    records: ContainerRecords,
    pull: str | None,
    services: tuple[str, ...],
    force_recreate: bool,
) -> Candidate:
    """Say what is to be staged; ``services``: only these, with what they depend on."""
    stack = loaded.stack
    wanted = _closure(stack, services)
    containers = records.of_stack(stack.name)
    held = before.desired.stopped if before is not None and before.desired else frozenset[str]()
    there = {record.service for record in containers}
    generation = before.proposed + 1 if before is not None else 1

    record = StackRecord(
        name=stack.name,
        generation=generation,
        files=declaration.files,
        working_dir=declaration.working_dir,
        environment=dict(loaded.variables_used),
        project=declaration.project,
        profiles=declaration.profiles,
        watch=declaration.watch,
        stack=stack.model_dump(mode="json"),
    )
    desired = Desired(
        stack=stack,
        before=_before(before),
        generation=generation,
        stopped=frozenset(
            name
            for name in stack.services
            if name not in wanted and (name in held or name not in there)
        ),
        refresh=_images_of(stack, wanted, "always", pull=pull),
        offline=_images_of(stack, wanted, "never", pull=pull),
        recreate=frozenset(r.id for r in containers if force_recreate and r.service in wanted),
        rerun=frozenset(
            r.id
            for r in containers
            if r.service in wanted and r.exit is not None and r.exit.code != 0
        ),
    )
    return Candidate(record=record, desired=desired, secrets=dict(declaration.environment))


def _before(loop: StackLoop | None) -> Before | None:
    if loop is None or loop.desired is None or loop.record is None:
        return None
    return Before(stack=loop.desired.stack, contents=loop.record.contents)


def restored(record: StackRecord) -> Desired:
    """Rebuild what was wanted from what was stored; Corrupt when the model has moved on."""
    try:
        stack = Stack.model_validate(record.stack)
    except ValueError as error:
        raise Corrupt(f"stored stack {record.name}: {error}") from error
    return Desired(
        stack=stack,
        generation=record.generation,
        stopped=record.stopped,
        offline=_images_of(stack, stack.services, "never", pull=None),
    )


def _images_of(
    stack: Stack, services: Collection[str], policy: str, *, pull: str | None
) -> frozenset[str]:
    """Images of the services that have this pull policy; ``pull`` overrides all of theirs."""
    return frozenset(
        stack.services[name].image
        for name in services
        if (pull or stack.services[name].pull_policy) == policy
    )


def declaration_of(record: StackRecord) -> Declaration:
    """Rebuild what the user declared, with what is left of the environment."""
    return Declaration(
        files=record.files,
        working_dir=record.working_dir,
        environment=dict(record.environment),
        project=record.project,
        profiles=record.profiles,
        watch=record.watch,
    )


def known_services(stack: Stack, services: Iterable[str]) -> tuple[str, ...]:
    """Return the services named, all where none is; Invalid for one that is not declared."""
    names = tuple(services)
    for name in names:
        if name not in stack.services:
            raise Invalid(f"stack {stack.name} has no service {name}")
    return names or tuple(sorted(stack.services))


def _closure(stack: Stack, services: tuple[str, ...]) -> frozenset[str]:
    wanted: set[str] = set()
    pending = list(known_services(stack, services))
    while pending:
        name = pending.pop()
        if name not in wanted and name in stack.services:
            wanted.add(name)
            pending.extend(stack.services[name].depends_on)
    return frozenset(wanted)
