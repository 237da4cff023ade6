"""Removing content that no name leads to.

Mark and sweep over the layout: what index.json reaches, and what pulls under way have pinned,
stays. Blocks; the caller sees to it that nothing is pinned or named meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from stacker.base.errors import Invalid, StackerError
from stacker.drivers.images.steps import on_disk
from stacker.drivers.images.store import Store
from stacker.oci import documents, image_config
from stacker.oci.chain_id import chain_ids
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.index import DEPTH_LIMIT, Index


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    files: int
    size_bytes: int


def collect(store: Store, *, pinned: Collection[Digest]) -> Collected:
    """Remove blobs and layers that nothing leads to."""
    needed = set(pinned)
    for entry in store.catalog.entries():
        _mark(store, entry, needed)

    files, size_bytes = 0, 0
    with on_disk("collect images"):
        for folder in store.places.content():
            for path, digest in _content(folder):
                if digest not in needed:
                    size_bytes += path.stat().st_size
                    files += 1
                    path.unlink()
    return Collected(files=files, size_bytes=size_bytes)


def reach(store: Store, entry: Descriptor) -> frozenset[Digest]:
    """All that an entry leads to, with diff ids and chain ids. Blocks."""
    found: set[Digest] = set()
    _mark(store, entry, found)
    return frozenset(found)


def _mark(store: Store, entry: Descriptor, needed: set[Digest], depth: int = 0) -> None:
    """Add all that an entry leads to, with diff ids and chain ids.

    What has been marked is not gone into again: an index may name its parts many times over.
    """
    if entry.digest in needed and depth:
        return

    needed.add(entry.digest)
    try:
        document = documents.parse(store.read_document(entry), expected=entry.media_type)
    except StackerError:
        return

    if isinstance(document, Index):
        if depth < DEPTH_LIMIT:
            for inner in document.manifests:
                _mark(store, inner, needed, depth + 1)
        return

    needed.add(document.config.digest)
    needed.update(layer.digest for layer in document.layers)
    try:
        diff_ids = image_config.parse(store.read_document(document.config)).diff_ids
    except StackerError:
        return

    needed.update(diff_ids)
    needed.update(chain_ids(diff_ids))


def _content(folder: Path) -> Iterator[tuple[Path, Digest]]:
    for algorithm in folder.iterdir():
        # a layer before its record: whoever is killed in between leaves a record of nothing
        for path in sorted(algorithm.iterdir(), key=lambda path: path.suffix == ".json"):
            try:
                yield path, Digest.parse(f"{algorithm.name}:{path.name.partition('.')[0]}")
            except Invalid:
                continue  # not ours
