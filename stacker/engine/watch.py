"""``up --watch``: a saved stack file applies by itself; a broken one keeps the last good one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
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
            files = await self._files(declaration)
            while True:
                files = await self._until_others(stack, declaration, files)

        with scope:
            await endure(f"watch the files of {stack}", run)

    async def _until_others(
        self, stack: str, declaration: Declaration, files: tuple[Path, ...]
    ) -> tuple[Path, ...]:
        """Apply each save, until one makes the stack read other files: an include, an env_file."""
        async with aclosing(self._watch_files(files)) as saves:
            async for _ in saves:
                await self._apply(stack, declaration)
                read = await self._files(declaration)
                if set(read) - set(files):
                    return read
        return files

    async def _files(self, declaration: Declaration) -> tuple[Path, ...]:
        try:
            return (await declare.load(declaration)).files_read
        except StackerError:
            return tuple(Path(file) for file in declaration.files)
