"""Blobs that were dropped, fetched again before they are needed; it is told, as it may take long.

Called before images are saved, and before a container is committed over its image.
"""

from __future__ import annotations

from functools import partial

from stacker.engine import pull_progress
from stacker.engine.tools import Tools


async def complete(tools: Tools, reference: str, *, name: str | None = None) -> None:
    """Have all blobs of an image that is here; `name` is what to call it where that differs."""
    sources = await tools.images.complete(
        reference, progress=partial(pull_progress.tell, tools.bus)
    )
    for source in sources:
        tools.bus.emit(
            "image.completed",
            f"what was dropped of {name or reference} is here again, from {source}",
            reference=str(source),
        )
