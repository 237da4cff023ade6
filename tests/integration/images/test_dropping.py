"""Compressed blobs that go while their images stay: which, when, and how they come back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stacker.base.errors import StackerError
from stacker.drivers.images.images import Images
from stacker.oci.derive import Making
from stacker.oci.image import Image
from stacker.oci.progress import PullProgress
from stacker.oci.tree import TreeOptions
from stacker.oci.usage import BlobPolicy, Dropped, Pruned, Retention
from tests.integration.images.conftest import OpenImages, mounted_tree, small_file_system
from tests.integration.images.test_retention import MIB, ONE, SHARED, TWO, noise
from tests.registries.made import TinyImage
from tests.registries.scripted import ScriptedRegistry

NOW = Retention(blobs=BlobPolicy.NOW)
PULLED = TinyImage((SHARED, ONE))
BOOT = "0" * 32


@pytest.fixture
async def name(scripted: ScriptedRegistry, images: Images) -> str:
    """An image that was pulled."""
    name = scripted.add(PULLED)
    await images.ensure(name)
    scripted.seen.clear()
    return name


@pytest.fixture
def layers_of(root: Path) -> Callable[[TinyImage], list[Path]]:
    """The blobs that are here of an image's layers."""

    def here(image: TinyImage) -> list[Path]:
        blobs = root / "images/blobs/sha256"
        paths = [blobs / digest.removeprefix("sha256:") for digest in image.layer_digests]
        return [path for path in paths if path.exists()]

    return here


LayersOf = Callable[[TinyImage], list[Path]]


async def drop(images: Images) -> Dropped | None:
    return (await prune(images, NOW)).dropped


async def prune(images: Images, retention: Retention) -> Pruned:
    return await images.prune(retention, in_use=frozenset)


async def saved(images: Images, name: str) -> bytes:
    return b"".join([piece async for piece in images.shelf.archive([name], "oci")])


async def import_tar(images: Images, content: bytes, tmp_path: Path) -> Image:
    (tmp_path / "made.tar").write_bytes(content)
    return await images.import_tar(tmp_path / "made.tar", reference="local/made:1")


async def commit(images: Images, base: str, tmp_path: Path) -> Image:
    upper = tmp_path / "upper-of-a-container"
    upper.mkdir(exist_ok=True)
    (upper / "changed").write_text("by the container")
    image = await images.find(base)
    assert image is not None
    return await images.maker.commit(
        upper,
        base_id=image.id,
        reference="local/committed:1",
        making=Making(created=datetime(2024, 1, 1, tzinfo=UTC), created_by="a test"),
        compression="gzip",
        options=TreeOptions(),
    )


def lose(image: Image, number: int) -> None:
    """Take away what is mounted of a layer."""
    Path(image.layers[number].path).unlink()


@pytest.mark.root
async def test_a_container_misses_nothing(
    name: str,
    scripted: ScriptedRegistry,
    images: Images,
    layers_of: LayersOf,
    tmp_path: Path,
) -> None:
    image = await images.find(name)
    assert image is not None
    seen = await mounted_tree(image, tmp_path)
    size_bytes = sum(path.stat().st_size for path in layers_of(PULLED))
    await images.settle()
    assert (await images.usage()).droppable_bytes == size_bytes
    pruned = await prune(images, NOW)
    assert pruned.images == ()
    assert pruned.dropped == Dropped(blobs=2, size_bytes=size_bytes, cause="that was asked for")
    assert (pruned.files, pruned.size_bytes) == (2, size_bytes)
    assert layers_of(PULLED) == []
    assert (await images.usage()).droppable_bytes == 0
    assert await mounted_tree(image, tmp_path / "again") == seen
    assert await drop(images) is None

    assert await images.ensure(name) == image
    assert scripted.seen == []
    assert await images.ensure(name, policy="always") == image
    assert [seen.method for seen in scripted.seen] == ["HEAD"]


async def test_a_save_and_a_push_bring_them_back(
    name: str, scripted: ScriptedRegistry, images: Images, layers_of: LayersOf
) -> None:
    whole = await saved(images, name)
    await drop(images)
    assert await images.complete(name)
    assert await saved(images, name) == whole
    assert scripted.count("/blobs/") == len(layers_of(PULLED)) == 2

    await drop(images)
    async with ScriptedRegistry() as other:
        sent = await images.push(name, target=f"{other.host}/elsewhere:1")
        assert str(sent.digest) == PULLED.digest
    assert len(layers_of(PULLED)) == 2


async def test_what_a_pull_shares_is_not_fetched_for_its_blob(
    name: str, scripted: ScriptedRegistry, images: Images, layers_of: LayersOf
) -> None:
    await drop(images)
    newer = TinyImage((SHARED, TWO))
    moved = scripted.add(newer)
    assert moved == name
    assert await images.ensure(name, policy="always")
    shared, own = newer.layer_digests
    assert not scripted.count(shared)
    assert scripted.count(own) == 1
    whole = await saved(images, name)
    assert scripted.count(shared) == 1
    await drop(images)
    assert await saved(images, name) == whole


async def test_what_came_from_no_registry_keeps_its_blobs(
    name: str,
    images: Images,
    layers_of: LayersOf,
    tmp_path: Path,
    scripted: ScriptedRegistry,
) -> None:
    """Imported, loaded under another name, or made over what was pulled."""
    await import_tar(images, TWO, tmp_path)
    own = (await images.shelf.detail("local/made:1")).layers[0].descriptor
    assert await drop(images)
    assert images._workshop.store.has_blob(own)

    (tmp_path / "saved.tar").write_bytes(await saved(images, name))
    await images.remove(name)
    (loaded,) = await images.load(tmp_path / "saved.tar")
    assert loaded.reference == name
    assert await drop(images) is None

    await images.shelf.tag(name, "local/loaded:1")
    await images.remove(name)
    await images.ensure(name)
    assert await drop(images) is None  # one of its names knows of no registry
    await images.remove("local/loaded:1")
    assert await drop(images)
    assert layers_of(PULLED) == []


async def test_a_name_given_here_knows_the_registry(
    name: str, scripted: ScriptedRegistry, images: Images
) -> None:
    whole = await saved(images, name)
    await images.shelf.tag(name, "local/mine:1")
    await images.shelf.tag("local/mine:1", "local/mine-too:1")
    await images.remove(name)
    await images.remove("local/mine:1")
    assert await drop(images)
    assert len(await saved(images, "local/mine-too:1")) > 0
    assert scripted.count("/blobs/") == 2
    await images.shelf.tag("local/mine-too:1", name)
    assert await saved(images, name) == whole


async def test_a_commit_brings_its_base_back(
    name: str, scripted: ScriptedRegistry, images: Images, layers_of: LayersOf, tmp_path: Path
) -> None:
    await drop(images)
    made = await commit(images, name, tmp_path)
    assert scripted.count("/blobs/") == len(layers_of(PULLED)) == 2
    assert await drop(images) is None
    whole = await saved(images, made.reference)
    await images.remove(name)
    assert await drop(images) is None
    scripted.seen.clear()
    assert await saved(images, made.reference) == whole
    assert scripted.seen == []
    assert (await images.shelf.verify(made.reference)).damages == ()


async def test_a_commit_that_cannot_is_none(
    name: str, scripted: ScriptedRegistry, images: Images, tmp_path: Path
) -> None:
    await drop(images)
    scripted.blobs.clear()
    with pytest.raises(StackerError, match=r"commit local/committed:1: blob .*"):
        await commit(images, name, tmp_path)
    assert [image.reference for image in await images.list()] == [name]


async def test_what_another_tool_removed_of_a_base(
    name: str, scripted: ScriptedRegistry, images: Images, layers_of: LayersOf, tmp_path: Path
) -> None:
    """An image that was made here finds the blobs of its base by what was pulled."""
    made = await commit(images, name, tmp_path)
    whole = await saved(images, made.reference)
    for blob in layers_of(PULLED):
        blob.unlink()
    events: list[PullProgress] = []
    (source,) = await images.complete(made.reference, progress=events.append)
    assert str(source) == name
    assert await saved(images, made.reference) == whole

    for blob in layers_of(PULLED):
        blob.unlink()
    async with ScriptedRegistry() as other:
        await images.push(made.reference, target=f"{other.host}/committed:1")
        fresh = Images(tmp_path / "fresh", auth_files=())
        assert (await fresh.ensure(f"{other.host}/committed:1")).id == made.id


async def test_what_work_under_way_needs_stays(
    name: str, images: Images, layers_of: LayersOf
) -> None:
    blob = layers_of(PULLED)[0]
    layers = (await images.shelf.detail(name)).layers
    with images._workshop.pins.held() as pins:
        await pins.add([layers[0].descriptor.digest])
        dropped = await drop(images)
        assert dropped is not None
        assert dropped.blobs == 1
    assert layers_of(PULLED) == [blob]
    assert await drop(images)


async def test_a_save_under_way_is_whole(name: str, images: Images, layers_of: LayersOf) -> None:
    whole = await saved(images, name)
    pieces = images.shelf.archive([name], "oci")
    begun = await anext(pieces)
    assert await drop(images) is None
    assert begun + b"".join([piece async for piece in pieces]) == whole
    assert await drop(images)


async def test_a_power_cut_takes_no_image(
    scripted: ScriptedRegistry, open_images: OpenImages, layers_of: LayersOf
) -> None:
    """A blob stays until its layer is on the disk; what was dropped is not missed afterwards."""
    before = open_images(boot_id=BOOT)
    name = scripted.add(PULLED)
    image = await before.ensure(name)
    assert (await before.usage()).droppable_bytes == 0  # either may still be lost
    assert await drop(before)  # it is brought to the disk first
    after = open_images(boot_id="1" * 32)
    assert after.take_warnings() == ()
    assert await after.find(name) == image

    # the blobs come again, and are not on the disk when the power goes
    await after.complete(name)
    lost = open_images(boot_id="2" * 32)
    assert len(lost.take_warnings()) == 2
    assert await lost.find(name) == image


async def test_a_layer_is_made_of_its_blob_though_others_are_dropped(
    name: str, scripted: ScriptedRegistry, images: Images, root: Path
) -> None:
    image = await images.find(name)
    assert image is not None
    with images._workshop.pins.held() as pins:
        await pins.add([(await images.shelf.detail(name)).layers[1].descriptor.digest])
        await drop(images)
    lose(image, 1)
    assert await images.find(name) is None
    assert await images.ensure(name, policy="never") == image
    assert scripted.seen == []


async def test_a_layer_that_is_lost_is_pulled(
    name: str, scripted: ScriptedRegistry, images: Images
) -> None:
    image = await images.find(name)
    assert image is not None
    await drop(images)
    lose(image, 1)
    assert await drop(images) is None
    assert await images.ensure(name) == image
    assert [scripted.count(digest) for digest in PULLED.layer_digests] == [0, 1]


async def test_verify_tells_dropped_from_damaged(
    name: str, images: Images, layers_of: LayersOf, tmp_path: Path
) -> None:
    first = layers_of(PULLED)[0]
    first.unlink()
    found = await images.shelf.verify(name)
    assert found.damages == ()
    # nothing seals a layer before it is brought to the disk
    assert found.dropped == found.not_compared == (f"sha256:{first.name}",)

    await import_tar(images, TWO, tmp_path)
    own = (await images.shelf.detail("local/made:1")).layers[0].descriptor
    images._workshop.store.places.blob(own.digest).unlink()
    found = await images.shelf.verify("local/made:1")
    assert found.dropped == ()
    assert "no such file" in found.damages[0]


@pytest.fixture
def disk(root: Path) -> Iterator[Path]:
    with small_file_system(root, mib=8) as place:
        yield place


@pytest.mark.root
@pytest.mark.usefixtures("disk")
async def test_for_room_before_any_image(
    scripted: ScriptedRegistry, open_images: OpenImages
) -> None:
    """Three images of two MiB each, blob and layer, on a disk of eight."""
    images = open_images()
    names = [scripted.add(TinyImage((noise(n, MIB),)), tag=f"{n}") for n in (4, 5, 6)]
    for name in names:
        await images.ensure(name)
    assert (await prune(images, Retention(full_at=0.99, blobs=BlobPolicy.FOR_ROOM))).dropped is None
    mark = Retention(full_at=0.7, until=0.3, blobs=BlobPolicy.FOR_ROOM)
    pruned = await prune(images, mark)
    assert pruned.dropped is not None
    assert pruned.dropped.blobs == 3
    assert "full" in pruned.dropped.cause
    assert pruned.images == ()
    assert pruned.size_bytes >= 3 * MIB

    for name in names:
        await images.complete(name)
    low = Retention(full_at=0.3, until=0.2, blobs=BlobPolicy.FOR_ROOM)
    pruned = await prune(images, low)
    assert pruned.dropped is not None
    assert len(pruned.images) == 2
    assert await images.find(names[2])
