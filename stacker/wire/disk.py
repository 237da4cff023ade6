"""Room on the disk: what takes it, and what is to go."""

from __future__ import annotations

from stacker.wire.message import Message


class PruneRequest(Message):
    untagged: bool = True
    """Images whose tag has moved on."""
    unused_for_s: float | None = None
    """Images that nothing has used for so long; 0: all that nothing uses now."""
    blobs: bool = False
    """Compressed blobs of layers, where a registry has them: push and save fetch them again."""


class ImageUsageRow(Message):
    references: tuple[str, ...]
    id: str
    size_bytes: int
    """All that it needs: blobs, documents, layers."""
    shared_bytes: int
    """Of these, what another image needs too."""
    used_at: float
    """Seconds since the epoch: when it was named last, or last seen in use."""
    in_use: bool


class ContainerUsageRow(Message):
    name: str
    stack: str
    size_bytes: int
    """What it has changed, and its logs."""
    running: bool


class VolumeUsageRow(Message):
    name: str
    stack: str
    size_bytes: int
    in_use: bool
    """Its stack is declared."""


class DiskUsage(Message):
    images: tuple[ImageUsageRow, ...] = ()
    images_bytes: int
    """All content of images, each file counted once."""
    reclaimable_bytes: int
    """Of these, what no image in use needs."""
    droppable_bytes: int = 0
    """Of these, what a prune of blobs drops."""
    partial_bytes: int
    """Downloads under way, and interrupted ones that can be resumed."""
    containers: tuple[ContainerUsageRow, ...] = ()
    volumes: tuple[VolumeUsageRow, ...] = ()
    disk_bytes: int
    """Of the file system that images lie on."""
    available_bytes: int


class PrunedRow(Message):
    references: tuple[str, ...]
    digest: str
    cause: str


class PrunedReply(Message):
    images: tuple[PrunedRow, ...] = ()
    dropped_blobs: int = 0
    """Compressed layers that went while their images stay."""
    dropped_bytes: int = 0
    files: int = 0
    """All that went, the dropped blobs among it."""
    size_bytes: int = 0
