"""What is asked of registries apart from any ``up``: pull, push, copy, lock, outdated."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from stacker.base.errors import Invalid, StackerError
from stacker.base.parallel import run_all
from stacker.engine import declare
from stacker.engine.fetch import pull_named, pull_stack
from stacker.engine.ports import Sent
from stacker.engine.tools import Tools
from stacker.oci import pull_policy
from stacker.oci.image import Image
from stacker.oci.progress import PushProgress
from stacker.oci.pull_policy import PullPolicy
from stacker.oci.reference import Reference
from stacker.plan.declaration import Declaration
from stacker.plan.image_requests import Freshness, LockedImages
from stacker.stack.load.lock import place_beside

AT_ONCE = 6
"""Look-ups in registries at the same time."""


class ImageRegistry:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def pull(
        self, declaration: Declaration, services: tuple[str, ...], *, policy: PullPolicy
    ) -> tuple[Image, ...]:
        """Fetch the images of a stack."""
        loaded = await declare.load(declaration)
        names = declare.known_services(loaded.stack, services)
        return await pull_stack(self._tools, loaded.stack, names, policy=policy)

    async def pull_images(
        self, references: Sequence[str], *, platform: str | None, policy: PullPolicy
    ) -> tuple[Image, ...]:
        """Fetch images by their names, apart from any stack."""
        wanted = [(reference, platform or "") for reference in dict.fromkeys(references)]
        return await pull_named(self._tools, wanted, stack="", policy=policy)

    async def push(self, reference: str, target: str | None) -> Sent:
        sent = await self._tools.images.push(reference, target=target, progress=self._progress)
        self._tell(sent)
        return sent

    async def copy(
        self, source: str, target: str, *, platform: str | None, with_referrers: bool
    ) -> Sent:
        """Copy an image from one registry to another, without keeping it here."""
        sent = await self._tools.images.remote.copy(
            source,
            target,
            platform=platform,
            with_referrers=with_referrers,
            progress=self._progress,
        )
        self._tell(sent)
        return sent

    async def lock(self, declaration: Declaration, *, offline: bool) -> LockedImages:
        """Say which digest each image of a stack has now: at its registry, or here.

        An image that was made or loaded here, or whose policy is never, is the one that is here.
        """
        loaded = await declare.load(declaration)
        named: dict[str, bool] = {}
        for service in loaded.stack.services.values():
            full = Reference.parse(service.image)
            if full.digest is None:
                never = pull_policy.parse(service.pull_policy).when == "never"
                named[str(full)] = named.get(str(full), False) or never or offline
        digests: dict[str, str] = {}

        async def find(name: str, here_only: bool) -> None:
            digests[name] = await self._digest(name, loaded.stack.name, here_only=here_only)

        await run_all((partial(find, name, here) for name, here in named.items()), at_once=AT_ONCE)
        return LockedImages(
            path=str(place_beside(loaded.files[0])), digests=dict(sorted(digests.items()))
        )

    async def outdated(self, declaration: Declaration | None) -> tuple[Freshness, ...]:
        """Compare what is here with the registries; nothing is fetched. None: all images."""
        stack = None
        if declaration is None:
            names = {name for name in await self._tools.images.shelf.names() if "@" not in name}
        else:
            loaded = await declare.load(declaration)
            names = {service.image for service in loaded.stack.services.values()}
            stack = loaded.stack.name
        found: list[Freshness] = []

        async def look(name: str) -> None:
            found.append(await self._freshness(name, stack))

        await run_all((partial(look, name) for name in names), at_once=AT_ONCE)
        return tuple(sorted(found, key=lambda row: row.reference))

    async def _freshness(self, name: str, stack: str | None) -> Freshness:
        full = Reference.parse(name)
        image = await self._tools.images.find(name)
        if full.digest is not None:
            return Freshness(reference=name, here=str(full.digest), state="pinned")
        here = None
        if image is not None:
            here = (await self._tools.images.shelf.detail(name)).source_digest
            if here is None:
                return Freshness(reference=name, here=image.manifest_digest, state="local")
        try:
            latest = str((await self._tools.images.remote.head(name, stack=stack)).digest)
        except StackerError as error:
            return Freshness(reference=name, here=here, state="unknown", note=error.message)
        state = "missing" if here is None else "current" if here == latest else "outdated"
        return Freshness(reference=name, here=here, latest=latest, state=state)

    async def _digest(self, name: str, stack: str, *, here_only: bool) -> str:
        image = await self._tools.images.find(name)
        if image is not None:
            pulled = (await self._tools.images.shelf.detail(name)).source_digest
            if here_only or pulled is None:
                return pulled or image.manifest_digest
        elif here_only:
            raise Invalid(f"image {name} is not here, and its registry is not to be asked")
        return str((await self._tools.images.remote.head(name, stack=stack)).digest)

    def _tell(self, sent: Sent) -> None:
        self._tools.bus.emit(
            "image.pushed",
            f"{sent.reference} is {sent.digest}",
            reference=sent.reference,
            digest=str(sent.digest),
        )

    def _progress(self, progress: PushProgress) -> None:
        self._tools.bus.emit(
            "image.sending",
            reference=progress.reference,
            blob=progress.blob,
            state=progress.state,
            current=progress.current,
            total=progress.total,
            note=progress.note,
        )
