"""``stacker pull``: ask the registries for the images of a stack."""

from __future__ import annotations

import anyio

from stacker.base.errors import StackerError
from stacker.engine.perform import Performer
from stacker.engine.tools import Tools
from stacker.oci.image import Image
from stacker.plan.operations import PullImage
from stacker.stack.model.stack import Stack


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
                policy=policy,
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
