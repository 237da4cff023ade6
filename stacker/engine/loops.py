"""The loops of all stacks, by name, and the questions that are asked of them."""

from __future__ import annotations

from pathlib import Path

from stacker.base.errors import Conflict, NotFound
from stacker.engine import declare
from stacker.engine.observe import observe
from stacker.engine.stack_loop import StackLoop
from stacker.engine.tools import Tools
from stacker.plan.observed import ObservedContainer, Status
from stacker.stack.load.read import find_stack_files


class Loops(dict[str, StackLoop]):
    """One loop for each stack that is declared, or is being declared or taken down."""

    def __init__(self, tools: Tools) -> None:
        super().__init__()
        self._tools = tools

    def named(self, stack: str) -> StackLoop:
        loop = self.get(stack)
        if loop is None:
            raise NotFound(f"no stack is named {stack}")
        return loop

    def services(self, stack: str, services: tuple[str, ...]) -> frozenset[str]:
        """Return the services named, all where none is; each must be declared."""
        desired = self.named(stack).desired
        if desired is None:
            raise Conflict(f"stack {stack} is not accepted yet")
        return frozenset(declare.known_services(desired.stack, services))

    async def running(self, stack: str) -> tuple[ObservedContainer, ...]:
        observed = await observe(self._tools, self.named(stack).name, None, {})
        return tuple(c for c in observed.containers if c.status is Status.RUNNING)

    def find(self, *, project: str | None, files: tuple[str, ...], working_dir: str) -> str:
        """Say which stack a caller means: by name, by its files, or by where the caller stands.

        The only stack there is will do, but not where a stack file lies that is not up: whoever
        says ``down`` there does not mean another one.
        """
        if project is not None:
            return self.named(project).name
        declared = [loop.record for loop in self.values() if loop.record is not None]
        wanted = _files(files, working_dir)
        found = [r.name for r in declared if wanted & _files(r.files, r.working_dir)]
        if not found and not files:
            found = [r.name for r in declared if r.working_dir == working_dir]
            if not found and not wanted and len(declared) == 1:
                found = [declared[0].name]
        if len(found) == 1:
            return found[0]
        if found:
            raise Conflict(f"several stacks match: {', '.join(sorted(found))}; choose one with -p")
        where = f"the files {', '.join(files)}" if files else f"the directory {working_dir}"
        raise NotFound(f"no stack is declared from {where}; choose one with -p NAME")


def _files(given: tuple[str, ...], directory: str) -> frozenset[str]:
    """Return the stack files that ``up`` would take there."""
    if given:
        return frozenset(str(Path(directory, file)) for file in given)
    try:
        return frozenset(map(str, find_stack_files(Path(directory))))
    except NotFound:
        return frozenset()
