"""Layers on a file system with fs-verity: what the kernel then sees to, and what `verify` says.

The kernel of the virtual machine has it.
"""

from __future__ import annotations

import os
import random
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from stacker.drivers.images import seals
from stacker.drivers.images.images import Images
from stacker.oci.usage import BlobPolicy, Retention
from tests.integration.images.conftest import OpenImages, mounted_tree
from tests.registries.debian import run
from tests.registries.made import TinyImage, dependent_layers, member, tar_of
from tests.registries.scripted import ScriptedRegistry
from tests.support.loop_disk import mounted_disk

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(
        not Path("/sys/fs/ext4/features/verity").exists(),
        reason="this kernel has no fs-verity (CONFIG_FS_VERITY)",
    ),
]

MARK = random.Random(20).randbytes(4096)
"""A page that is nowhere else on the disk: the blob is compressed."""


class Disk:
    """An ext4 with fs-verity in a file, mounted where the store lies."""

    def __init__(self, file: Path, root: Path) -> None:
        self._file = file
        self._root = root

    def mounted(self) -> AbstractContextManager[Path]:
        return mounted_disk(self._file, self._root)

    def flip(self, page: bytes) -> None:
        """Change one bit of a page on the disk, behind the kernel's back."""
        at = self._file.read_bytes().index(page)
        with self._file.open("r+b") as file:
            file.seek(at + 100)
            file.write(bytes([page[100] ^ 1]))


@pytest.fixture
def disk(tmp_path: Path, root: Path) -> Disk:
    file = tmp_path / "disk"
    file.touch()
    os.truncate(file, 64 << 20)
    run("mkfs.ext4", "-q", "-b", "4096", "-O", "verity", str(file))
    root.mkdir()
    return Disk(file, root)


def sealed(root: Path) -> list[Path]:
    return sorted(path.with_suffix(".erofs") for path in root.glob("*/sha256/*.verity"))


async def test_layers_and_corrections_are_sealed(
    disk: Disk, scripted: ScriptedRegistry, open_images: OpenImages, tmp_path: Path
) -> None:
    with disk.mounted() as root:
        assert seals.why_not(root) is None
        assert [path.name for path in root.iterdir()] == ["lost+found"]
        images = open_images()
        name = scripted.add(TinyImage(dependent_layers()))
        image = await images.ensure(name)
        before = await mounted_tree(image, tmp_path)
        await images.settle()
        assert sealed(root) == sorted(Path(layer.path) for layer in image.layers)
        assert len(sealed(root)) == 3
        for path in sealed(root):
            with pytest.raises(PermissionError):
                path.open("r+b")
        assert (await images.shelf.verify(name)).damages == ()
        assert await mounted_tree(image, tmp_path) == before

        again = open_images()
        await again.ensure(name, policy="always")
        await again.remove(name)
        assert list(root.glob("layers/sha256/*")) == list(root.glob("corrections/sha256/*")) == []


async def test_a_bit_that_the_disk_has_flipped(
    disk: Disk, scripted: ScriptedRegistry, open_images: OpenImages, tmp_path: Path
) -> None:
    name = scripted.add(TinyImage((tar_of(member("data", MARK * 3)),)))
    with disk.mounted():
        images = open_images()
        await images.ensure(name)
        await images.settle()
        assert (await images.shelf.verify(name)).damages == ()
    disk.flip(MARK)
    with disk.mounted():
        images = open_images()
        image = await images.find(name)
        assert image is not None
        (damage,) = (await images.shelf.verify(name)).damages
        assert damage.startswith("layer sha256:")
        assert "input/output error" in damage
        with pytest.raises(OSError, match="Input/output error"):  # a container is not lied to
            await mounted_tree(image, tmp_path)


async def test_a_dropped_blob_leaves_the_seal(
    disk: Disk, scripted: ScriptedRegistry, open_images: OpenImages
) -> None:
    name = scripted.add(TinyImage((tar_of(member("data", MARK * 3)),)))
    with disk.mounted():
        images = open_images()
        await images.ensure(name)
        assert (await images.prune(Retention(blobs=BlobPolicy.NOW), in_use=frozenset)).dropped
        found = await images.shelf.verify(name)
        assert (found.damages, found.not_compared, len(found.dropped)) == ((), (), 1)
        assert found.size_bytes > len(MARK) * 3
    disk.flip(MARK)
    with disk.mounted():
        (damage,) = (await open_images().shelf.verify(name)).damages
        assert "input/output error" in damage


async def test_another_file_in_its_place(
    disk: Disk, scripted: ScriptedRegistry, open_images: OpenImages
) -> None:
    with disk.mounted() as root:
        images: Images = open_images()
        names = [scripted.add(TinyImage((tar_of(member(each)),)), tag=each) for each in "ab"]
        for name in names:
            await images.ensure(name)
        await images.settle()
        one, other = sealed(root)
        other.replace(one)
        damages = [damage for name in names for damage in (await images.shelf.verify(name)).damages]
        assert len(damages) == 2
        assert "what is mounted differs from what the blob gives" in "".join(damages)
        assert "what is mounted of it is not here" in "".join(damages)
