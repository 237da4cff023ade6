"""The names within the folder that a worker fills."""

from __future__ import annotations

TREE = "tree"
"""The layer."""
NURSERY = "nursery"
"""Inodes that have no name yet."""
IMAGE = "image"
"""An EROFS file, where corrections become one."""
