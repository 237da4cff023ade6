"""Measuring the store, and removing content that no name leads to.

Mark and sweep over the layout: what index.json reaches, what pulls under way have pinned, and what
containers use, stays. Blocks; the caller sees to it that nothing is pinned or named meanwhile.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from stacker.base.errors import Invalid
from stacker.drivers.images import catalog
from stacker.drivers.images.directory.remove import remove_tree
from stacker.drivers.images.reach import Reach, of_id
from stacker.drivers.images.spare_blobs import spare_blobs
from stacker.drivers.images.steps import on_disk
from stacker.drivers.images.store import Store
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.usage import ImageUsage, StoreUsage


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    files: int
    size_bytes: int


def collect(store: Store, *, pinned: Collection[Digest], in_use: Collection[str] = ()) -> Collected:
    """Remove blobs and layers that nothing leads to; `in_use` as in `measure`."""
    needed = needed_by(store, in_use) | set(pinned)
    for found in _found(store):
        needed |= found.reach.digests

    files, size_bytes = 0, 0
    with on_disk("collect images"):
        for path, digest in _content(store):
            if digest not in needed:
                size_bytes += _size(store, path, digest)
                files += 1
                remove_content(store, path)
        store.used.forget(needed)
    return Collected(files=files, size_bytes=size_bytes)


def measure(store: Store, *, in_use: Collection[str] = ()) -> StoreUsage:
    """What all images take, and each of them; `in_use` are ids, digests or full references."""
    with on_disk("measure images"):
        sizes: Counter[Digest] = Counter()
        for path, digest in _content(store):
            sizes[digest] += _size(store, path, digest)
        partial = sum(map(_size_now, store.places.partial.iterdir()))
        disk = os.statvfs(store.places.root)

    found = list(_found(store))
    users = Counter(digest for each in found for digest in each.reach.digests)
    images = tuple(_usage(store, each, sizes, users, in_use) for each in found)
    needed = needed_by(store, in_use)
    for each, image in zip(found, images, strict=True):
        needed |= each.reach.digests if image.in_use else set()
    return StoreUsage(
        images=images,
        size_bytes=sum(sizes.values()),
        reclaimable_bytes=sum(size for digest, size in sizes.items() if digest not in needed),
        droppable_bytes=sum(spare_blobs(store).values()),
        partial_bytes=partial,
        disk_bytes=disk.f_blocks * disk.f_frsize,
        available_bytes=disk.f_bavail * disk.f_frsize,
    )


def needed_by(store: Store, in_use: Collection[str]) -> set[Digest]:
    """What the ids among `in_use` need, though no name may lead there."""
    return {digest for image_id in _digests(in_use) for digest in of_id(store, image_id)}


def remove_content(store: Store, path: Path) -> None:
    """Remove a file or a directory under its final name, if it is there."""
    if path.is_dir():
        doomed = store.places.doomed()
        path.rename(doomed)
        remove_tree(doomed)
    else:
        path.unlink(missing_ok=True)


def _usage(
    store: Store,
    found: _Found,
    sizes: Counter[Digest],
    users: Counter[Digest],
    in_use: Collection[str],
) -> ImageUsage:
    reach = found.reach
    own = {reach.image_id, str(reach.manifest_digest), *found.references}
    return ImageUsage(
        references=found.references,
        id=reach.image_id,
        manifest_digest=str(reach.manifest_digest),
        size_bytes=sum(sizes[digest] for digest in reach.digests),
        shared_bytes=sum(sizes[digest] for digest in reach.digests if users[digest] > 1),
        used_at=store.used.at(reach.manifest_digest),
        in_use=not own.isdisjoint(in_use),
        from_registry=found.pulled,
        tagged=found.tagged,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A manifest of the catalog, with what all of its entries say."""

    reach: Reach
    references: tuple[str, ...]
    pulled: bool
    tagged: bool


def _found(store: Store) -> Iterator[_Found]:
    entries: dict[Digest, list[Descriptor]] = {}
    for entry in store.catalog.entries():
        entries.setdefault(entry.digest, []).append(entry)
    for same in entries.values():
        yield _Found(
            reach=Reach(store, same[-1]),
            references=tuple(sorted(catalog.name_of(each) or str(each.digest) for each in same)),
            pulled=any(catalog.SOURCE_DIGEST in each.annotations for each in same),
            tagged=any(catalog.MOVED_ON not in each.annotations for each in same),
        )


def _digests(texts: Collection[str]) -> Iterator[Digest]:
    for text in texts:
        try:
            yield Digest.parse(text)
        except Invalid:
            continue  # a reference: it is in the catalog, or nothing is here for it


def _size(store: Store, path: Path, digest: Digest) -> int:
    """Of a directory, the bytes of its files, as its record has them."""
    found = path.stat()
    if not stat.S_ISDIR(found.st_mode):
        return found.st_size
    if path.parent.parent == store.places.layers:
        layer = store.unpacked.get(digest)
        return layer.image_size if layer else 0
    correction = store.corrections.get(digest)
    return correction.size if correction else 0


def _size_now(path: Path) -> int:
    """Of a download, which may end at any moment and be gone from its name."""
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0


def _content(store: Store) -> Iterator[tuple[Path, Digest]]:
    for folder in store.places.content():
        for algorithm in filter(Path.is_dir, folder.iterdir()):
            # a layer before its record: whoever is killed in between leaves a record of nothing
            for path in sorted(algorithm.iterdir(), key=lambda path: path.suffix == ".json"):
                try:
                    yield path, Digest.parse(f"{algorithm.name}:{path.name.partition('.')[0]}")
                except Invalid:
                    continue  # not ours
