"""Which compressed blobs nobody would miss: a decision over what every image says of its layers."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from stacker.oci.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobUse:
    """One layer of one image that came from a registry."""

    blob: Digest
    layer_here: bool
    """What is mounted of it is here, and safe from a power cut."""


def spare(uses: Iterable[BlobUse], *, kept: Collection[Digest]) -> set[Digest]:
    """The blobs that can be had again, and that no layer has to be made of.

    `kept` is what must stay: all that images need which came from no registry, documents, and what
    work under way has pinned. A blob may be listed by several images: one of them may lack the
    layer.
    """
    listed: set[Digest] = set()
    needed = set(kept)
    for use in uses:
        listed.add(use.blob)
        if not use.layer_here:
            needed.add(use.blob)
    return listed - needed
