"""``stacker pull``: ask the registries for the images of a stack."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from stacker.base.parallel import run_all
from stacker.engine.perform import Performer
from stacker.engine.tools import Tools
from stacker.oci.image import Image
from stacker.oci.pull_policy import PullPolicy
from stacker.plan.operations import PullImage
from stacker.stack.model.stack import Stack


async def pull_stack(
    tools: Tools, stack: Stack, services: tuple[str, ...], *, policy: PullPolicy
) -> tuple[Image, ...]:
    """Fetch the services' images, all at once; the first failure ends the others."""
    wanted = {
        (stack.services[name].image, stack.services[name].platform or "") for name in services
    }
    return await pull_named(tools, sorted(wanted), stack=stack.name, policy=policy)


async def pull_named(
    tools: Tools, wanted: Sequence[tuple[str, str]], *, stack: str, policy: PullPolicy
) -> tuple[Image, ...]:
    """Fetch images by name and platform (none: the host's)."""
    pulls = [
        PullImage(
            cause="asked for",
            reference=reference,
            platform=platform or None,
            policy=await _when(tools, reference, platform or None, policy),
        )
        for reference, platform in wanted
    ]
    await fetch_all(Performer(tools, stack), pulls)
    found = [await tools.images.find(ref, platform=platform or None) for ref, platform in wanted]
    return tuple(image for image in found if image is not None)


async def _when(tools: Tools, reference: str, platform: str | None, policy: PullPolicy) -> str:
    """What a policy comes to now: one that asks from time to time is always, or missing."""
    if policy.every_s is None or await tools.images.find(reference, platform=platform) is None:
        return policy.when
    asked_at = await tools.images.shelf.asked_at(reference)
    return "always" if policy.due(asked_at, now=tools.now()) else policy.when


async def fetch_all(performer: Performer, pulls: Sequence[PullImage]) -> None:
    """Carry out pulls together; raise the first error, when all have stopped."""
    await run_all(partial(performer, operation) for operation in pulls)
