"""What images take on the disk, and which of them may go: values and one decision.

The images driver measures and removes; the engine says what is in use.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageUsage:
    """One image, under all of its names."""

    references: tuple[str, ...]
    """Full names; one that was tagged before and is not now has its digest in its name."""
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

    @property
    def unique_bytes(self) -> int:
        """What removing it alone gives back."""
        return self.size_bytes - self.shared_bytes

    @property
    def tagged(self) -> bool:
        return any("@" not in reference for reference in self.references)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreUsage:
    """The store of one state root."""

    images: tuple[ImageUsage, ...]
    size_bytes: int
    """All content, each file counted once, whether an image needs it or not."""
    unneeded_bytes: int
    """Of these, what no image needs: the next collection removes it."""
    partial_bytes: int
    """Downloads under way, and those that were interrupted and can be resumed."""
    disk_bytes: int
    """Of the file system that the store lies on."""
    available_bytes: int


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    references: tuple[str, ...]
    manifest_digest: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    images: tuple[Removed, ...]
    files: int
    size_bytes: int


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
    if retention.full_at is None or not usage.disk_bytes:
        return None
    full = 1 - usage.available_bytes / usage.disk_bytes
    if full < (retention.until if reached else retention.full_at):
        return None
    unused = [image for image in usage.images if _may_go(image, retention)]
    if not unused:
        return None
    return min(unused, key=lambda image: image.used_at), f"the disk is {full:.0%} full"


def _may_go(image: ImageUsage, retention: Retention) -> bool:
    return not image.in_use and (image.from_registry or not retention.only_from_registries)
