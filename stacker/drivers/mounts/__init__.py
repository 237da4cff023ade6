"""Mounts of container root file systems: EROFS layers, and overlays over them.

Answers to the engine through `Mounts`. Nothing here knows what an image or a container is, nothing
is mounted outside the run directory, and nothing is remembered: what is mounted is read from the
kernel's mount table.
"""

from __future__ import annotations

from stacker.drivers.mounts.erofs import Method
from stacker.drivers.mounts.mounts import Mounts
from stacker.drivers.mounts.overlay import Way

__all__ = ["Method", "Mounts", "Way"]
