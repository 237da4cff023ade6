"""Images apart from any running stack: what ``pull``, ``images`` and ``stacker image`` ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from stacker.base.errors import Conflict, StackerError
from stacker.engine import pull_progress
from stacker.engine.completing import complete
from stacker.engine.tools import Tools
from stacker.oci.detail import ImageDetail, Verified
from stacker.oci.image import Image

_REPAIRS_MAX = 1000
"""More than an image has parts: a disk that damages whatever is written is not to be repaired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedImages:
    names: tuple[str, ...]
    files: int
    size_bytes: int


class ImageStore:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools

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

    # ---- what is here

    async def tag(self, source: str, target: str) -> Image:
        return await self._tools.images.shelf.tag(source, target)

    async def detail(self, reference: str) -> ImageDetail:
        return await self._tools.images.shelf.detail(reference)

    async def remove(self, references: Sequence[str], *, force: bool) -> RemovedImages:
        """Take names away; all are looked at before the first one goes."""
        shelf = self._tools.images.shelf
        going: dict[str, str] = {}
        for reference in references:
            going |= await shelf.names(reference)
        if not force:
            await self._refuse_used(going)
        collected = await self._tools.images.remove(*references, in_use=self._held)
        return RemovedImages(
            names=tuple(sorted(going)), files=collected.files, size_bytes=collected.size_bytes
        )

    async def verify(
        self, references: Sequence[str], *, repair: bool = False
    ) -> tuple[Verified, ...]:
        """Read images again, byte for byte; all where none is named.

        `repair` drops what is damaged and can be had again, and has it again.
        """
        shelf = self._tools.images.shelf
        names = references or sorted(await shelf.names())
        if not repair:
            return tuple([await shelf.verify(reference) for reference in names])
        return tuple([await self._repair(reference) for reference in names])

    async def _repair(self, reference: str) -> Verified:
        """Drop and have again, until a look finds nothing more to drop: what a damaged manifest
        leads to is looked at when it is sound."""
        images = self._tools.images
        before = await images.find(reference)
        platform = str(before.config.platform) if before else None
        found = await images.shelf.verify(reference, repair=self._held())
        repaired: list[str] = []
        while found.repaired and len(repaired) < _REPAIRS_MAX:
            repaired += found.repaired
            try:
                await images.ensure(
                    found.reference,
                    policy="missing",
                    platform=platform,
                    progress=partial(pull_progress.tell, self._tools.bus),
                )
            except StackerError as error:
                damages = (*found.damages, f"having it again: {error.message}")
                return replace(found, damages=damages, repaired=tuple(repaired))

            found = await images.shelf.verify(found.reference, repair=self._held())
        return replace(found, repaired=(*repaired, *found.repaired))

    async def complete(self, references: Sequence[str]) -> None:
        """Have all blobs of images that are here: those that were dropped are fetched again."""
        for reference in references:
            await complete(self._tools, reference)

    async def write_layout(self, references: Sequence[str], path: str) -> None:
        await self._tools.images.shelf.write_layout(references, Path(path))

    def archive(self, references: Sequence[str], *, form: str) -> AsyncIterator[bytes]:
        return self._tools.images.shelf.archive(references, form)

    def _held(self) -> frozenset[str]:
        """The ids of images that containers were made of, as without their layers none starts, and
        of those that are mounted."""
        made_of = {record.image_id for record in self._tools.records.all()}
        return self._tools.image_mounts.ids() | made_of

    async def _refuse_used(self, going: dict[str, str]) -> None:
        left = {i.id for i in await self._tools.images.list() if i.reference not in going}
        for record in self._tools.records.all():
            if record.image_id in set(going.values()) - left:
                raise Conflict(
                    f"image {record.image} is what container {record.name} was made of; "
                    "take its stack down first, or use --force"
                )
