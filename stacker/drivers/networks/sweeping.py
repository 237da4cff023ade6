"""Removing what carries our tag and nobody remembers: what a crash has left. Blocking."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

from stacker.drivers.networks import marks, names, observing, sandbox_links
from stacker.drivers.networks.netlink import links
from stacker.drivers.networks.netlink.conversation import ROUTE, Conversation


def sweep(tag: str, directory: Path, known: Set[str], kept: Set[str]) -> None:
    """``known``: the links that ought to be there; ``kept``: the ids whose namespaces stay."""
    owners = names.owner_place(directory / "any").parent
    found = [*directory.iterdir(), *(owners.iterdir() if owners.is_dir() else ())]
    lost = {path.name for path in found} - kept
    sandbox_links.tear_down([directory / name for name in lost], [])

    kernel = observing.look()
    strays = [
        link
        for link in kernel.links.values()
        if link.name not in known
        and (names.is_ours(tag, link.name) or link.alias.startswith(marks.mark(tag)))
    ]
    if strays:
        with Conversation(ROUTE) as host:
            host.attempt([links.delete_link(link.name) for link in strays])
