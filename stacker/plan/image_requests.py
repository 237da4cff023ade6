"""What a user asks to be made an image of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeImage:
    """What both ways have."""

    reference: str
    changes: tuple[str, ...] = ()
    """Instructions as in a Dockerfile."""
    message: str = ""
    author: str = ""
    compression: str = "gzip"
    epoch: int | None = None
    """SOURCE_DATE_EPOCH: when the image was made, and the latest time that a file may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildImage:
    making: MakeImage
    source: str
    """Absolute: a directory, or a root file system's tar."""
    platform: str | None = None
    owner: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitImage:
    making: MakeImage
    container: str
    """A name, an id, or a service with one container."""
    stack: str | None = None
    pause: bool = True
