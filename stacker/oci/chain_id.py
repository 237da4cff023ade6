"""Chain ids: the names of stacks of layers, as the image specification computes them."""

from __future__ import annotations

from collections.abc import Iterable

from stacker.oci import digest
from stacker.oci.digest import Digest


def chain_ids(diff_ids: Iterable[Digest]) -> tuple[Digest, ...]:
    """For each layer, the chain id of it and all below.

    ChainID(L₀) = DiffID(L₀); ChainID(L₀|…|Lₙ) = Digest(ChainID(L₀|…|Lₙ₋₁) + " " + DiffID(Lₙ)).
    """
    chains: list[Digest] = []
    for diff_id in diff_ids:
        chains.append(digest.of(f"{chains[-1]} {diff_id}".encode()) if chains else diff_id)
    return tuple(chains)
