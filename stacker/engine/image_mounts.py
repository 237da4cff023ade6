"""Images that are mounted by themselves, read-only, for somebody to look into.

What is mounted is what lies below the run directory, under the image's id: nothing is remembered.
A mount stays until it is taken away or the machine goes down, whatever becomes of the supervisor
or of the image's name.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from stacker.base.errors import NotFound
from stacker.base.ids import new_id
from stacker.engine.ports import Mounts
from stacker.oci.image import Image

_PASSING = "export-"
"""Mounts of this name are for one answer."""
_TOP = ".top"
_HEX_LENGTH = 64


class ImageMounts:
    def __init__(self, mounts: Mounts, *, run: Path) -> None:
        self._mounts = mounts
        self._folder = run / "images"

    async def mount(self, image: Image) -> Path:
        """Mount an image, where it is not mounted yet; where."""
        target = self._folder / image.id.partition(":")[2]
        await self._mounts.mount_image(_paths(image), target)
        return target

    async def unmount(self, wanted: str) -> Path:
        """Take a mount away: by its path, or by (the beginning of) the id of its image."""
        start = wanted.removeprefix("sha256:")
        found = [
            place
            for place in self.places()
            if str(place) == wanted or (len(start) >= 4 and place.name.startswith(start[:64]))
        ]
        if len(found) != 1:
            raise NotFound(f"image {wanted} is not mounted")
        await self._mounts.unmount_image(found[0])
        return found[0]

    @asynccontextmanager
    async def passing(self, image: Image) -> AsyncGenerator[Path]:
        """A mount of its own for as long as the block runs."""
        target = self._folder / f"{_PASSING}{image.id.partition(':')[2]}-{new_id()[:12]}"
        await self._mounts.mount_image(_paths(image), target)
        try:
            yield target
        finally:
            with anyio.CancelScope(shield=True):
                await self._mounts.unmount_image(target)

    def ids(self) -> frozenset[str]:
        """The images of all mounts, passing ones among them: what is read there must stay."""
        names = [place.name for place in self._folder.iterdir()] if self._folder.is_dir() else []
        return frozenset(
            f"sha256:{name.removeprefix(_PASSING)[:_HEX_LENGTH]}"
            for name in names
            if not name.endswith(_TOP)
        )

    def places(self) -> tuple[Path, ...]:
        """Where images are mounted that somebody asked for."""
        names = sorted(self._folder.iterdir()) if self._folder.is_dir() else []
        return tuple(
            place for place in names if not place.name.startswith(_PASSING) and place.suffix != _TOP
        )


def _paths(image: Image) -> list[Path]:
    return [Path(layer.path) for layer in image.layers]
