"""What stacks take on the disk."""

from __future__ import annotations

from dataclasses import dataclass

from stacker.oci.usage import StoreUsage


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerUsage:
    name: str
    stack: str
    size_bytes: int
    """What it has changed, and its logs."""
    running: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeUsage:
    name: str
    stack: str
    size_bytes: int
    in_use: bool
    """Its stack is declared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskUsage:
    images: StoreUsage
    containers: tuple[ContainerUsage, ...]
    volumes: tuple[VolumeUsage, ...]
