"""Images that are made here: built of a tree, committed from a container; and trees of images."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import anyio

from stacker.base.errors import Conflict, NotFound, StackerError
from stacker.bundle.process import INIT_TARGET
from stacker.engine.completing import complete
from stacker.engine.loops import Loops
from stacker.engine.tools import Tools
from stacker.oci.derive import Making
from stacker.oci.image import Image
from stacker.oci.tree import TreeOptions
from stacker.plan.image_requests import BuildImage, CommitImage, MakeImage
from stacker.plan.records import ContainerRecord

_MOUNT_POINTS = (
    "dev", "dev/pts", "dev/shm", "etc/hostname", "etc/hosts", "etc/resolv.conf", "proc", "sys",
)  # fmt: skip
"""What every container has mounted: a runtime makes the places where an image has none."""


class ImageMaking:
    def __init__(self, tools: Tools, loops: Loops) -> None:
        self._tools = tools
        self._loops = loops

    async def build(self, wanted: BuildImage) -> Image:
        return await self._tools.images.maker.build(
            Path(wanted.source),
            reference=wanted.making.reference,
            making=self._making(wanted.making, by="stacker image build-from"),
            compression=wanted.making.compression,
            platform=wanted.platform,
            options=TreeOptions(latest_ns=_latest(wanted.making), owner=wanted.owner),
        )

    async def commit(self, wanted: CommitImage) -> Image:
        """Make an image of a container; it stands still meanwhile, if that is asked for."""
        record = self._find(wanted.container, wanted.stack)
        # the driver would see to it as well, while the container stands still
        await complete(self._tools, record.image_id, name=record.image)
        options = TreeOptions(
            latest_ns=_latest(wanted.making), mount_points=self._mount_points(record)
        )
        async with self._standing(record, wanted.pause):
            return await self._tools.images.maker.commit(
                self._tools.preparer.upper(record.id),
                base_id=record.image_id,
                reference=wanted.making.reference,
                making=self._making(wanted.making, by="stacker image commit"),
                compression=wanted.making.compression,
                options=options,
            )

    # ---- trees

    async def mount(self, reference: str) -> Path:
        return await self._tools.image_mounts.mount(await self._image(reference))

    async def unmount(self, wanted: str) -> Path:
        """Take a mount away: its path, or the image's name, digest or id."""
        image = await self._tools.images.find(wanted)
        return await self._tools.image_mounts.unmount(wanted if image is None else image.id)

    def mounted(self) -> tuple[Path, ...]:
        return self._tools.image_mounts.places()

    async def export(self, reference: str) -> AsyncGenerator[bytes]:
        """Yield an image's root file system as one plain tar."""
        image = await self._image(reference)
        async with self._tools.image_mounts.passing(image) as tree:
            pieces: AsyncIterator[bytes] = self._tools.images.maker.export(tree)
            async for piece in pieces:
                yield piece

    # ---- the inside

    async def _image(self, reference: str) -> Image:
        image = await self._tools.images.find(reference)
        if image is None:
            raise NotFound(f"image {reference} is not here")
        return image

    def _making(self, wanted: MakeImage, *, by: str) -> Making:
        now = self._tools.now() if wanted.epoch is None else wanted.epoch
        return Making(
            created=datetime.fromtimestamp(now, UTC),
            created_by=by,
            message=wanted.message,
            author=wanted.author,
            changes=wanted.changes,
        )

    def _find(self, name: str, stack: str | None) -> ContainerRecord:
        found = [
            record
            for record in self._tools.records.all()
            if stack in (None, record.stack)
            and (name in (record.name, record.id) or _begins(record.id, name))
        ] or [
            record
            for record in self._tools.records.all()
            if stack in (None, record.stack) and name == record.service
        ]
        if not found:
            raise NotFound(f"there is no container {name}")
        if len(found) > 1:
            names = ", ".join(sorted(record.name for record in found))
            raise Conflict(f"{name} is several containers: {names}")
        return found[0]

    def _mount_points(self, record: ContainerRecord) -> frozenset[bytes]:
        """Where something is mounted in a container, without the leading slash."""
        loop = self._loops.get(record.stack)
        desired = loop.desired if loop is not None else None
        service = desired.stack.services.get(record.service) if desired is not None else None
        targets = [*_MOUNT_POINTS, INIT_TARGET]
        if service is not None:
            targets += [mount.target for mount in service.volumes]
            targets += [file.target for file in (*service.configs, *service.secrets)]
        return frozenset(target.strip("/").encode() for target in targets)

    @asynccontextmanager
    async def _standing(self, record: ContainerRecord, pause: bool) -> AsyncGenerator[None]:
        """Keep a container's processes from running, where they do."""
        containers = self._tools.containers
        processes = await containers.observe()
        process = processes.get(record.id)
        if not pause or process is None or not process.running:
            yield
            return
        await containers.pause(record.id)
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._resume(record)

    async def _resume(self, record: ContainerRecord) -> None:
        try:
            await self._tools.containers.resume(record.id)
        except StackerError as error:
            processes = await self._tools.containers.observe()
            if (process := processes.get(record.id)) is not None and process.running:
                raise
            # it was killed while it stood still
            self._tools.bus.emit("warning", str(error), stack=record.stack)


def _begins(container_id: str, start: str) -> bool:
    return len(start) >= 4 and container_id.startswith(start)


def _latest(wanted: MakeImage) -> int | None:
    return None if wanted.epoch is None else wanted.epoch * 10**9
