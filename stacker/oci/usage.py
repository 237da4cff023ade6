"""What images take on the disk, and which of them may go: values and one decision.

The images driver measures and removes; the engine says what is in use.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageUsage:
    """One image, under all of its names."""

    references: tuple[str, ...]
    """Full names; one that has moved on to another image has this one's digest added."""
    id: str
    """The digest of the config; empty for what is no image, as another tool's artifacts."""
    manifest_digest: str
    size_bytes: int
    """All that it needs: compressed blobs, documents, layers, corrections."""
    shared_bytes: int
    """Of these, what another image needs too."""
    used_at: float
    """When it was named last, or last seen in use (seconds since the epoch)."""
    in_use: bool
    from_registry: bool = True
    """It was pulled, so that it can be had again; not imported, loaded or put here by others."""
    tagged: bool = True
    """Whether a name that it was given still stands for it; else all have moved on."""

    @property
    def unique_bytes(self) -> int:
        """What removing it alone gives back."""
        return self.size_bytes - self.shared_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreUsage:
    """The store of one state root."""

    images: tuple[ImageUsage, ...]
    size_bytes: int
    """All content, each file counted once, whether an image needs it or not."""
    reclaimable_bytes: int
    """Of these, what no image in use needs: all that removing the others gives back."""
    droppable_bytes: int
    """Of these, compressed blobs that no container reads, and that a registry has."""
    partial_bytes: int
    """Downloads under way, and those that were interrupted and can be resumed."""
    disk_bytes: int
    """Of the file system that the store lies on."""
    available_bytes: int


class BlobPolicy(Enum):
    """When the compressed blobs of layers go that can be had again, and that no container reads."""

    KEEP = "keep"
    FOR_ROOM = "for room"
    """When the upper mark is passed, before any image goes for it."""
    NOW = "now"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Which images go, besides the content that no image needs, which always does.

    What is in use never goes.
    """

    untagged: bool = False
    """Those whose tag has moved on."""
    unused_for_s: float | None = None
    """Those that nothing has used for so long; 0: all that nothing uses now."""
    full_at: float | None = None
    """From this share of the file system in use on, the least recently used go, one by one ..."""
    until: float = 0.8
    """... until no more than this share is in use."""
    only_from_registries: bool = False
    """None of those that only this store may have."""
    blobs: BlobPolicy = BlobPolicy.KEEP


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    references: tuple[str, ...]
    manifest_digest: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """Compressed blobs of layers that went while their images stay."""

    blobs: int
    size_bytes: int
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    images: tuple[Removed, ...]
    dropped: Dropped | None
    files: int
    """All that went, the dropped blobs among it."""
    size_bytes: int
    """Of them."""


def expired(
    images: Sequence[ImageUsage], retention: Retention, *, now: float
) -> Iterator[tuple[ImageUsage, str]]:
    """The images that go whatever room there is, each with its cause."""
    for image in images:
        unused_s = now - image.used_at
        if not _may_go(image, retention):
            continue
        if retention.untagged and not image.tagged:
            yield image, "its tag has moved on"
        elif retention.unused_for_s is not None and unused_s >= retention.unused_for_s:
            yield image, f"nothing has used it for {int(unused_s)} s"


def next_to_go(
    usage: StoreUsage, retention: Retention, *, reached: bool
) -> tuple[ImageUsage, str] | None:
    """The image to remove for the room it takes; ask again with what is there afterwards.

    `reached` says that the upper mark has been passed, so that removing goes on to the lower one.
    """
    if retention.full_at is None:
        return None
    cause = _too_full(usage, retention.until if reached else retention.full_at)
    unused = [image for image in usage.images if _may_go(image, retention)]
    if cause is None or not unused:
        return None
    return min(unused, key=lambda image: image.used_at), cause


def blobs_go(usage: StoreUsage, retention: Retention) -> str | None:
    """Why compressed blobs that can be had again go now; None: they stay."""
    match retention.blobs:
        case BlobPolicy.KEEP:
            return None
        case BlobPolicy.NOW:
            return "that was asked for"
        case BlobPolicy.FOR_ROOM:
            return _too_full(usage, retention.full_at)


def _too_full(usage: StoreUsage, mark: float | None) -> str | None:
    """What to say where so much of the file system is in use, or more."""
    if mark is None or not usage.disk_bytes:
        return None
    full = 1 - usage.available_bytes / usage.disk_bytes
    return None if full < mark else f"the disk is {full:.0%} full"


def _may_go(image: ImageUsage, retention: Retention) -> bool:
    return not image.in_use and (image.from_registry or not retention.only_from_registries)
