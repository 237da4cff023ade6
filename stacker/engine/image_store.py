"""Images apart from any running stack: what ``pull``, ``images``, ``load``, ``import`` ask for."""

from __future__ import annotations

from pathlib import Path

from stacker.engine import declare
from stacker.engine.fetch import pull_images
from stacker.engine.tools import Tools
from stacker.oci.image import Image
from stacker.plan.declaration import Declaration


class ImageStore:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def pull(
        self, declaration: Declaration, services: tuple[str, ...], *, policy: str
    ) -> tuple[Image, ...]:
        loaded = await declare.load(declaration)
        names = declare.known_services(loaded.stack, services)
        return await pull_images(self._tools, loaded.stack, names, policy=policy)

    async def list(self) -> tuple[Image, ...]:
        return await self._tools.images.list()

    async def load(self, path: str) -> tuple[Image, ...]:
        return await self._tools.images.load(Path(path))

    async def login(self, registry: str, *, user: str, password: str, stack: str | None) -> None:
        await self._tools.images.login(registry, user=user, password=password, stack=stack)

    async def logout(self, registry: str, *, stack: str | None) -> None:
        await self._tools.images.logout(registry, stack=stack)

    async def import_image(
        self, path: str, *, reference: str, changes: tuple[str, ...], message: str = ""
    ) -> Image:
        return await self._tools.images.import_tar(
            Path(path), reference=reference, changes=changes, message=message
        )
