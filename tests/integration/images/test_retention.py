"""What images take, and which go: names, containers, age, and a disk that fills."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from stacker.drivers.images.images import Images
from stacker.oci.usage import Retention
from tests.integration.images.conftest import OpenImages, small_file_system
from tests.registries.made import TinyImage, member, tar_of
from tests.registries.scripted import ScriptedRegistry

ALL = Retention(unused_for_s=0)
MIB = 1 << 20


def noise(seed: int, size: int) -> bytes:
    return tar_of(member(f"noise-{seed}", random.Random(seed).randbytes(size)))


SHARED, ONE, TWO = noise(1, 300_000), noise(2, 100_000), noise(3, 200_000)


async def test_usage(scripted: ScriptedRegistry, images: Images, root: Path) -> None:
    one = scripted.add(TinyImage((SHARED, ONE)), tag="one")
    two = scripted.add(TinyImage((SHARED, TWO)), tag="two")
    again = scripted.add(TinyImage((SHARED, TWO)), tag="again")
    for name in (one, two, again):
        image = await images.ensure(name)
    (root / "partial/sha256-1.blob").write_bytes(b"half")
    usage = await images.usage(in_use=[image.id])
    assert usage.partial_bytes == 4
    assert 0 < usage.available_bytes <= usage.disk_bytes
    first, second = sorted(usage.images, key=lambda each: each.unique_bytes)
    assert first.references == (one,)
    assert set(second.references) == {two, again}
    assert (first.in_use, second.in_use) == (False, True)
    # a compressed blob and a layer of each
    assert 600_000 < first.shared_bytes == second.shared_bytes < 620_000
    assert 200_000 < first.unique_bytes < 220_000
    assert 400_000 < second.unique_bytes < 420_000
    assert usage.reclaimable_bytes == first.unique_bytes
    assert (await images.usage()).reclaimable_bytes == usage.size_bytes
    shared = first.shared_bytes
    assert usage.size_bytes == shared + first.unique_bytes + second.unique_bytes
    removed = await images.remove(one)
    assert removed.size_bytes == first.unique_bytes
    (alone,) = (await images.usage()).images
    assert alone.shared_bytes == 0


async def test_measuring_beside_downloads_that_end(
    scripted: ScriptedRegistry, images: Images, root: Path
) -> None:
    name = scripted.add(TinyImage((ONE,)))
    await images.ensure(name)
    (root / "images/blobs/.DS_Store").write_bytes(b"a stray file of whoever copied the store")
    ended = threading.Event()

    def downloads() -> None:
        while not ended.is_set():
            for number in range(50):
                (root / f"partial/{number}.blob").write_bytes(b"half")
            for number in range(50):
                (root / f"partial/{number}.blob").unlink()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(to_thread.run_sync, downloads)
        try:
            found = [await images.usage() for _ in range(100)]
        finally:
            ended.set()
    assert {usage.partial_bytes % 4 for usage in found} == {0}
    assert {usage.size_bytes for usage in found} == {found[0].size_bytes}
    assert (await images.prune(ALL, in_use=frozenset)).images


async def test_what_is_in_use_stays(
    scripted: ScriptedRegistry, images: Images, final_names: Callable[[], set[str]]
) -> None:
    name = scripted.add(TinyImage((SHARED, ONE)))
    image = await images.ensure(name)
    # the tag moves on, as with an update: the container's image is what a rollback needs
    newer = scripted.add(TinyImage((SHARED, TWO)))
    assert newer == name
    await images.ensure(name, policy="always")
    assert (await images.prune(ALL, in_use=lambda: [image.id, name])).images == ()
    (gone,) = (await images.prune(ALL, in_use=lambda: [image.id])).images
    assert gone.references == (name,)
    kept = await images.find(image.id)
    assert kept is not None
    assert kept.layers == image.layers
    # even without any name the layers stay, for the container's next mount
    await images.remove(image.id, in_use=lambda: [image.id])
    assert await images.list() == ()
    assert {os.path.basename(layer.path) for layer in image.layers} <= final_names()
    assert (await images.prune(Retention(), in_use=frozenset)).size_bytes > 0
    assert final_names() == set()


async def test_what_comes_into_use_before_anything_goes(
    scripted: ScriptedRegistry, images: Images
) -> None:
    """A prune waits for pulls to let go of the store: what they brought may be a container's."""
    image = await images.ensure(scripted.add(TinyImage((ONE,))))
    used: list[str] = []
    async with anyio.create_task_group() as tasks, images._workshop.pins.frozen():
        tasks.start_soon(partial(images.prune, ALL, in_use=lambda: used))
        await anyio.wait_all_tasks_blocked()
        used.append(image.id)
    assert await images.find(image.id)


async def test_age_counts_from_the_last_use(scripted: ScriptedRegistry, images: Images) -> None:
    name = scripted.add(TinyImage((ONE,)))
    image = await images.ensure(name)
    week = Retention(unused_for_s=7 * 24 * 3600)
    assert (await images.prune(week, in_use=frozenset)).images == ()
    _make_older(images, days=8)
    assert (await images.prune(week, in_use=lambda: [image.id])).images == ()
    assert (await images.prune(week, in_use=frozenset)).images == ()  # it was in use a moment ago
    _make_older(images, days=8)
    (gone,) = (await images.prune(week, in_use=frozenset)).images
    assert gone.references == (name,)
    assert "nothing has used it" in gone.cause


async def test_untagged(scripted: ScriptedRegistry, images: Images) -> None:
    scripted.add(TinyImage((ONE,)))
    name = scripted.add(TinyImage((ONE,)))
    await images.ensure(name)
    scripted.add(TinyImage((TWO,)))
    await images.ensure(name, policy="always")
    assert len((await images.usage()).images) == 2
    (gone,) = (await images.prune(Retention(untagged=True), in_use=frozenset)).images
    assert "@sha256:" in gone.references[0]
    assert await images.find(name)


async def test_what_was_pulled_by_digest_has_not_moved_on(
    scripted: ScriptedRegistry, images: Images
) -> None:
    name = scripted.add(TinyImage((ONE,)))
    image = await images.ensure(name)
    pinned = f"{name}@{image.manifest_digest}"
    await images.ensure(pinned)
    await images.remove(name)
    assert (await images.prune(Retention(untagged=True), in_use=frozenset)).images == ()
    # nor has one that was given a name again after it lost its own
    await images.ensure(name)
    scripted.add(TinyImage((TWO,)))
    await images.ensure(name, policy="always")
    await images.shelf.tag(image.id, f"{name}-kept")
    await images.remove(pinned)
    assert (await images.prune(Retention(untagged=True), in_use=frozenset)).images == ()
    assert await images.find(f"{name}-kept") == await images.find(image.id)


@pytest.fixture
def disk(root: Path) -> Iterator[Path]:
    with small_file_system(root, mib=8) as place:
        yield place


@pytest.mark.root
async def test_watermark(disk: Path, scripted: ScriptedRegistry, open_images: OpenImages) -> None:
    """Three images of two MiB each, blob and layer, on a disk of eight: the oldest go."""
    images = open_images()
    names = [scripted.add(TinyImage((noise(n, MIB),)), tag=f"{n}") for n in (4, 5, 6)]
    for name in names:
        await images.ensure(name)
        _make_older(images, days=1)
    mark = Retention(full_at=0.7, until=0.6)
    assert (await images.prune(Retention(full_at=0.99), in_use=frozenset)).images == ()
    pruned = await images.prune(mark, in_use=lambda: [names[0]])
    assert [image.references for image in pruned.images] == [(names[1],)]
    assert "full" in pruned.images[0].cause
    assert pruned.size_bytes > 2 * MIB
    assert await images.find(names[0])
    assert await images.find(names[2])
    assert (await images.prune(mark, in_use=frozenset)).images == ()


def _make_older(images: Images, *, days: int) -> None:
    """Move every mark into the past, as if the time had gone by."""
    for mark in (images._workshop.store.places.used).iterdir():
        at = mark.stat().st_mtime - days * 24 * 3600
        os.utime(mark, (at, at))
