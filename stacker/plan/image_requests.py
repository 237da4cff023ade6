"""What a user asks of images, and what is found out about them."""

from __future__ import annotations

from collections.abc import Mapping
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


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedImages:
    path: str
    """Where the lock file of the stack lies."""
    digests: Mapping[str, str]
    """Full names of images → what they stand for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """An image beside its registry."""

    reference: str
    state: str
    """``current``, ``outdated``, ``missing`` here, ``local``: made or loaded here, ``pinned`` to a
    digest, or ``unknown``: the registry could not say."""
    here: str | None = None
    """The digest that its name had when it was pulled."""
    latest: str | None = None
    note: str = ""
