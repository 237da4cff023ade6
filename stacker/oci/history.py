"""The history of an image, each line beside the layer that it made.

image-spec config.md, "history": the entries are ordered first to last, and one with `empty_layer`
made no layer. It is a note and may be missing or wrong, so layers that no entry is left for are
listed all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.image_config import HistoryEntry, ImageConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryLine:
    entry: HistoryEntry
    layer: Descriptor | None
    """None: it made no layer."""
    diff_id: Digest | None


def lines(config: ImageConfig, layers: Sequence[Descriptor]) -> tuple[HistoryLine, ...]:
    """Put layers and history side by side, oldest first."""
    made = list(zip(layers, config.diff_ids, strict=True))
    out: list[HistoryLine] = []
    for entry in config.history:
        layer, diff_id = (None, None) if entry.empty_layer or not made else made.pop(0)
        out.append(HistoryLine(entry=entry, layer=layer, diff_id=diff_id))
    unknown = HistoryEntry()
    out += [HistoryLine(entry=unknown, layer=layer, diff_id=diff_id) for layer, diff_id in made]
    return tuple(out)
