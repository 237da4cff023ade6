"""What is damaged on the disk comes again: by a pull, or by `verify` that drops it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stacker.drivers.images.images import Images
from stacker.oci.image import LayerFormat
from tests.integration.images.conftest import OpenImages
from tests.registries.made import TinyImage, dependent_layers, umoci_layout
from tests.registries.scripted import ScriptedRegistry


@pytest.fixture
def made() -> TinyImage:
    """Its second layer needs corrections over the first."""
    return TinyImage(dependent_layers())


@pytest.fixture
def blobs(root: Path) -> Path:
    return root / "images/blobs/sha256"


def flip(path: Path) -> None:
    """One bit, nearly at the end: no header says that it is another file."""
    whole = path.read_bytes()
    path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])


def every_file(root: Path, kind: str) -> Iterator[Path]:
    return (path for path in (root / kind).rglob("*") if path.is_file() and path.suffix != ".json")


@pytest.mark.parametrize("which", ["manifest", "config"])
async def test_a_pull_brings_a_document_again(
    which: str, scripted: ScriptedRegistry, images: Images, made: TinyImage, blobs: Path
) -> None:
    image = await images.ensure(scripted.add(made))
    flip(blobs / (image.manifest_digest if which == "manifest" else image.id).partition(":")[2])
    # another image's pull goes on with what it shares
    again = scripted.add(made, tag="again")
    pulled = await images.ensure(again)
    assert (pulled.id, pulled.manifest_digest) == (image.id, image.manifest_digest)
    assert (await images.shelf.verify(image.reference)).damages == ()


@pytest.mark.parametrize("kind", ["images/blobs", "layers", "corrections"])
async def test_what_came_from_a_registry(
    kind: str, scripted: ScriptedRegistry, images: Images, made: TinyImage, root: Path
) -> None:
    image = await images.ensure(scripted.add(made))
    for path in every_file(root, kind):
        flip(path)
    found = await images.shelf.verify(image.reference)
    assert found.damages
    assert found.repaired == ()
    repaired = 0
    while (found := await images.shelf.verify(image.reference, repair=[image.id])).repaired:
        assert found.damages == ()
        repaired += len(found.repaired)
        assert await images.ensure(image.reference) == image
    assert found.damages == ()
    assert repaired
    assert bool(found.dropped) == (kind == "images/blobs")


async def test_what_only_this_store_has(images: Images, root: Path, tmp_path: Path) -> None:
    """Of an image that was loaded, layers come from blobs; the blobs from nowhere."""
    (loaded,) = await images.load(umoci_layout(tmp_path / "layout", dependent_layers()))
    for path in every_file(root, "layers"):
        flip(path)
    found = await images.shelf.verify(loaded.reference, repair=())
    assert len(found.repaired) >= len(list((root / "layers").rglob("*.erofs")))
    assert await images.ensure(loaded.reference) == loaded
    assert (await images.shelf.verify(loaded.reference)).damages == ()

    whole = {path: path.read_bytes() for path in every_file(root, "images/blobs")}
    for path in whole:
        flip(path)
    found = await images.shelf.verify(loaded.reference, repair=())
    assert found.damages
    assert found.repaired == ()
    assert whole.keys() == set(every_file(root, "images/blobs"))


async def test_directories_that_containers_have_mounted(
    open_images: OpenImages, scripted: ScriptedRegistry, made: TinyImage
) -> None:
    images = open_images(layer_format=LayerFormat.DIRECTORY)
    image = await images.ensure(scripted.add(made))
    damaged = next(every_file(Path(image.layers[0].path), "."))
    damaged.write_bytes(b"damage")
    found = await images.shelf.verify(image.reference, repair=[image.id])
    assert found.repaired == ()
    assert found.damages
    assert damaged.read_bytes() == b"damage"
    found = await images.shelf.verify(image.reference, repair=())
    assert found.damages == ()
    assert found.repaired
    assert await images.ensure(image.reference) == image
    assert (await images.shelf.verify(image.reference)).damages == ()
