"""``stacker pull``: ask the registries for the images of a stack."""

from __future__ import annotations

from pathlib import Path

import anyio

from stacker.base.errors import StackerError
from stacker.engine import declare
from stacker.engine.perform import Performer, Tools
from stacker.oci.image import Image
from stacker.plan.declaration import Declaration
from stacker.plan.operations import PullImage
from stacker.stack.model.stack import Stack


class ImageStore:
    """Images apart from any running stack: what ``pull``, ``images``, ``load``, ``import`` ask."""

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

    async def import_image(
        self, path: str, *, reference: str, changes: tuple[str, ...], message: str = ""
    ) -> Image:
        return await self._tools.images.import_tar(
            Path(path), reference=reference, changes=changes, message=message
        )


async def pull_images(
    tools: Tools, stack: Stack, services: tuple[str, ...], *, policy: str
) -> tuple[Image, ...]:
    """Fetch the services' images, all at once; the first failure ends the others."""
    wanted = sorted(
        {(stack.services[name].image, stack.services[name].platform or "") for name in services}
    )
    await fetch_all(
        Performer(tools, stack.name),
        tuple(
            PullImage(
                cause="asked for",
                reference=reference,
                platform=platform or None,
                always=policy == "always",
            )
            for reference, platform in wanted
        ),
    )
    found = [await tools.images.find(ref, platform=platform or None) for ref, platform in wanted]
    return tuple(image for image in found if image is not None)


async def fetch_all(performer: Performer, pulls: tuple[PullImage, ...]) -> None:
    """Carry out pulls together; raise the first error, when all have stopped."""
    errors: list[StackerError] = []

    async def fetch(operation: PullImage) -> None:
        try:
            await performer(operation)
        except StackerError as error:
            errors.append(error)
            tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        for operation in pulls:
            tasks.start_soon(fetch, operation)
    if errors:
        raise errors[0]
