"""All that is known of an image that is here: what `inspect` and `history` show."""

from __future__ import annotations

from dataclasses import dataclass

from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.image import Image
from stacker.oci.manifest import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerDetail:
    descriptor: Descriptor
    """The blob, as it travels."""
    diff_id: Digest
    chain_id: Digest
    unpacked_bytes: int
    """Of what is mounted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageDetail:
    image: Image
    names: tuple[str, ...]
    entry: Descriptor
    """The manifest's entry in the layout."""
    source_digest: str | None
    """What the name stood for at the registry: an index's digest, or the manifest's."""
    manifest: Manifest
    layers: tuple[LayerDetail, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What looking through an image has found."""

    reference: str
    size_bytes: int
    """That were read."""
    damages: tuple[str, ...]
    """Each one thing that is not what its digest says; empty: all is well."""
    repaired: tuple[str, ...] = ()
    """Damages as well, of what was dropped, and is made or fetched again."""
    dropped: tuple[str, ...] = ()
    """Blobs that are not here, which containers do not need and a registry has."""
    not_compared: tuple[str, ...] = ()
    """Of these, those whose layers have no seal either: there is nothing to compare them with."""
