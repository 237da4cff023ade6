"""Chain ids: the name of a stack of layers, as the image specification computes it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from stacker.oci import digest
from stacker.oci.digest import Digest


def chain_id(diff_ids: Sequence[Digest]) -> Digest:
    """ChainID(L₀|…|Lₙ) = Digest(ChainID(L₀|…|Lₙ₋₁) + " " + DiffID(Lₙ)); of one layer: itself."""
    if not diff_ids:
        raise ValueError("a chain has at least one layer")

    return reduce(lambda chain, diff: digest.of(f"{chain} {diff}".encode()), diff_ids)
