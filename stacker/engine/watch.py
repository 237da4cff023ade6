"""``up --watch``: a saved stack file applies by itself; a broken one keeps the last good one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
from anyio.abc import TaskGroup

from stacker.base.errors import StackerError
from stacker.engine import declare
from stacker.engine.endure import endure
from stacker.engine.ports import WatchFiles
from stacker.plan.declaration import Declaration


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

    def start(self, stack: str, declaration: Declaration) -> None:
        self.stop(stack)
        scope = self._scopes[stack] = anyio.CancelScope()
        self._tasks.start_soon(self._follow, stack, declaration, scope)

    def stop(self, stack: str) -> None:
        scope = self._scopes.pop(stack, None)
        if scope is not None:
            scope.cancel()

    async def _follow(self, stack: str, declaration: Declaration, scope: anyio.CancelScope) -> None:
        async def run() -> None:
            async for _ in self._watch_files(await self._files(declaration)):
                await self._apply(stack, declaration)

        with scope:
            await endure(f"watch the files of {stack}", run)

    async def _files(self, declaration: Declaration) -> tuple[Path, ...]:
        try:
            return (await declare.load(declaration)).files_read
        except StackerError:
            return tuple(Path(file) for file in declaration.files)
