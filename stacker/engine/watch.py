"""``up --watch``: a saved stack file applies by itself; a broken one keeps the last good one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio.abc import TaskGroup

from stacker.base.errors import StackerError
from stacker.engine import declare
from stacker.engine.endure import endure
from stacker.engine.ports import WatchFiles
from stacker.plan.declaration import Declaration


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the files of a stack were once loaded as."""

    stack: dict[str, object]
    files: tuple[Path, ...]
    """All that were read, those that it takes configs and secrets from, and missing ones."""


class Watches:
    """One watch for each stack that asked for it."""

    def __init__(
        self,
        tasks: TaskGroup,
        watch_files: WatchFiles,
        apply: Callable[[str, Declaration], Awaitable[None]],
    ) -> None:
        self._tasks = tasks
        self._watch_files = watch_files
        self._apply = apply
        self._scopes: dict[str, anyio.CancelScope] = {}

    def start(self, stack: str, declaration: Declaration, known: dict[str, object]) -> None:
        """Watch its files; ``known``: as what they were loaded, ``Stack.model_dump``."""
        self.stop(stack)
        scope = self._scopes[stack] = anyio.CancelScope()
        seen = Seen(stack=known, files=tuple(Path(file) for file in declaration.files))
        self._tasks.start_soon(self._follow, stack, declaration, seen, scope)

    def stop(self, stack: str) -> None:
        scope = self._scopes.pop(stack, None)
        if scope is not None:
            scope.cancel()

    async def _follow(
        self, stack: str, declaration: Declaration, seen: Seen, scope: anyio.CancelScope
    ) -> None:
        async def run() -> None:
            latest = seen
            while True:
                latest = await self._until_others(stack, declaration, latest)

        with scope:
            await endure(f"watch the files of {stack}", run)

    async def _until_others(self, stack: str, declaration: Declaration, seen: Seen) -> Seen:
        """Apply each save, until one makes the stack read other files: an include, an env_file.

        The first wake-up tells nothing but that the watch stands: what was saved between the
        loading of what is known and that moment shows by the difference.
        """
        stands = False
        async with aclosing(self._watch_files(seen.files)) as wakes:
            async for _ in wakes:
                found = await _look(declaration)
                if stands or found is None or found.stack != seen.stack:
                    await self._apply(stack, declaration)
                stands = True
                if found is not None and set(found.files) - set(seen.files):
                    return found
        return seen


async def _look(declaration: Declaration) -> Seen | None:
    try:
        loaded = await declare.load(declaration)
    except StackerError:
        return None
    contents = (*loaded.stack.configs.values(), *loaded.stack.secrets.values())
    return Seen(
        stack=loaded.stack.model_dump(mode="json"),
        files=(*loaded.files_read, *(Path(each.file) for each in contents if each.file)),
    )
