"""An image that is here, whole: what crosses from the images driver to the engine."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime

from stacker.oci.image_config import ImageConfig


class LayerFormat(enum.Enum):
    """How a layer lies on the disk."""

    EROFS = "erofs"
    """One file, which the kernel mounts."""
    DIRECTORY = "directory"
    """A directory with all its files, where EROFS cannot be mounted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    diff_id: str
    path: str
    """The EROFS file, or the directory, ready to be mounted."""
    size_bytes: int
    format: LayerFormat = LayerFormat.EROFS


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    reference: str
    """The full name it is stored under: domain, path, and tag or digest."""
    id: str
    """The digest of the config, as Docker identifies images."""
    manifest_digest: str
    config: ImageConfig
    layers: tuple[Layer, ...]
    """To be mounted on one another, lowest first. A layer that depends on those below may be
    followed by an image of corrections with the same diff id."""
    size_bytes: int
    """Of all layers, as they lie on the disk."""
    created: datetime | None
