"""Images that are here: named, saved in every form, verified, taken away."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from stacker.base.errors import Invalid, NotFound, StackerError
from stacker.drivers.images.images import Images
from stacker.oci import history
from stacker.oci.image import LayerFormat
from stacker.oci.progress import PullProgress, PullState
from tests.integration.images.conftest import OpenImages, small_file_system
from tests.registries.debian import run
from tests.registries.made import dependent_layers, folder, tar_of, umoci_layout
from tests.registries.podman import podman
from tests.registries.scripted import ScriptedRegistry

NAME = "example.com/rich:1.0"


@pytest.fixture
async def rich(images: Images, layout: Path) -> Images:
    """A store that has the rich image as `NAME`."""
    (loaded,) = await images.load(layout)
    await images.shelf.tag(loaded.reference, NAME)
    await images.remove(loaded.reference)
    return images


async def archive_of(images: Images, *references: str, form: str = "oci") -> bytes:
    return b"".join([piece async for piece in images.shelf.archive(references, form)])


async def test_tag_gives_a_further_name(rich: Images) -> None:
    tagged = await rich.shelf.tag(NAME, "example.com/rich:2")
    assert {image.reference for image in await rich.list()} == {NAME, "example.com/rich:2"}
    assert await rich.find("example.com/rich:2") == tagged
    assert set(await rich.shelf.names(tagged.id)) == {NAME, "example.com/rich:2"}
    await rich.remove(NAME)
    assert [image.reference for image in await rich.list()] == ["example.com/rich:2"]


async def test_one_image_under_several_names_goes_at_once(rich: Images) -> None:
    image = await rich.shelf.tag(NAME, "example.com/rich:2")
    with pytest.raises(NotFound, match="nosuch"):
        await rich.remove(NAME, "nosuch:1")
    assert await rich.find(NAME)
    await rich.remove(image.id, NAME, "example.com/rich:2")
    assert await rich.list() == ()


async def test_what_had_the_name_stays_under_its_digest(rich: Images, tmp_path: Path) -> None:
    other = umoci_layout(tmp_path / "other", (tar_of(folder("a")),))
    (loaded,) = await rich.load(other)
    old = await rich.find(NAME)
    assert old is not None
    await rich.shelf.tag(loaded.reference, NAME)
    assert await rich.find(f"example.com/rich@{old.manifest_digest}") is not None
    assert (await rich.find(NAME)).id == loaded.id  # type: ignore[union-attr]


async def test_a_digest_is_no_name_to_give(rich: Images) -> None:
    with pytest.raises(Invalid, match="a digest is no name"):
        await rich.shelf.tag(NAME, f"example.com/rich@sha256:{'0' * 64}")
    with pytest.raises(NotFound, match=r"example\.com/none:1 is not here"):
        await rich.shelf.tag("example.com/none:1", "example.com/x:1")


async def test_detail_and_history(rich: Images, root: Path) -> None:
    detail = await rich.shelf.detail(NAME)
    inspected = json.loads(run("skopeo", "inspect", f"oci:{root}/images:{NAME}"))
    assert [str(layer.descriptor.digest) for layer in detail.layers] == inspected["Layers"]
    assert str(detail.entry.digest) == inspected["Digest"]
    stat = json.loads(run("umoci", "stat", "--image", f"{root}/images:{NAME}", "--json"))
    rows = history.lines(detail.image.config, detail.manifest.layers)
    assert [(row.layer.size if row.layer else 0) for row in rows] == [
        (entry.get("layer") or {"size": 0})["size"] for entry in stat["history"]
    ]


async def test_saved_layout_is_read_by_skopeo_and_umoci(rich: Images, tmp_path: Path) -> None:
    target = tmp_path / "out"
    await rich.shelf.write_layout([NAME], target)
    run("skopeo", "copy", "-q", f"oci:{target}:{NAME}", f"dir:{tmp_path}/copied")
    run("umoci", "unpack", "--image", f"{target}:{NAME}", str(tmp_path / "bundle"))
    assert (tmp_path / "bundle/rootfs/etc/motd").read_text() == "replaced\n"
    assert not (tmp_path / "bundle/rootfs/etc/gone").exists()


async def test_a_layout_keeps_what_it_has(rich: Images, tmp_path: Path) -> None:
    target = umoci_layout(tmp_path / "out", (tar_of(folder("a")),), tag="old")
    await rich.shelf.tag(NAME, "example.com/second:1")
    for _ in range(2):  # a second time changes nothing
        await rich.shelf.write_layout([NAME, "example.com/second:1"], target)
        listed = run("umoci", "ls", "--layout", str(target)).decode().split()
        assert sorted(listed) == ["example.com/rich:1.0", "example.com/second:1", "old"]
    run("umoci", "gc", "--layout", str(target))
    run("skopeo", "inspect", f"oci:{target}:old")


async def test_no_folder_of_something_else_is_written_to(rich: Images, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(Invalid, match="neither empty nor an OCI layout"):
        await rich.shelf.write_layout([NAME], tmp_path)
    assert set(os.listdir(tmp_path)) == {"mine", "root"}


@pytest.mark.root
async def test_a_layout_on_another_disk_that_is_full_at_first(rich: Images, tmp_path: Path) -> None:
    with small_file_system(tmp_path / "disk", mib=4) as disk:
        target = disk / "out"
        filler = disk / "filler"
        filler.write_bytes(bytes(os.statvfs(disk).f_bavail * 4096 - 24 * 1024))
        with pytest.raises(StackerError, match="write layout: no space left"):
            await rich.shelf.write_layout([NAME], target)
        filler.unlink()
        (target / "blobs/sha256/.half.01234567.new").write_bytes(b"of one that was killed")
        await rich.shelf.write_layout([NAME], target)
        run("skopeo", "inspect", f"oci:{target}:{NAME}")
        assert not [name for name in os.listdir(target / "blobs/sha256") if name.startswith(".")]


async def test_archives_come_back_as_the_same_image(
    rich: Images, open_images: OpenImages, tmp_path: Path
) -> None:
    saved = await rich.find(NAME)
    assert saved is not None
    for form in ("oci", "docker"):
        data = await archive_of(rich, NAME, form=form)
        assert data == await archive_of(rich, NAME, form=form)  # the same bytes each time
        (tmp_path / f"{form}.tar").write_bytes(data)
        other = Images(tmp_path / form, auth_files=())
        (loaded,) = await other.load(tmp_path / f"{form}.tar")
        assert (loaded.reference, loaded.id) == (saved.reference, saved.id)
        assert [layer.diff_id for layer in loaded.layers] == [
            layer.diff_id for layer in saved.layers
        ]
    assert not list((tmp_path / "root/partial").iterdir())


async def test_archives_are_read_by_skopeo_and_podman(rich: Images, tmp_path: Path) -> None:
    saved = await rich.shelf.detail(NAME)
    for form, transport in (("oci", "oci-archive"), ("docker", "docker-archive")):
        file = tmp_path / f"{form}.tar"
        file.write_bytes(await archive_of(rich, NAME, form=form))
        inspected = json.loads(run("skopeo", "inspect", "--config", f"{transport}:{file}"))
        assert inspected["rootfs"]["diff_ids"] == [str(layer.diff_id) for layer in saved.layers]
        with podman() as other:
            assert NAME in other("load", "-q", "-i", str(file))
            (image,) = json.loads(other("images", "--format", "json"))
            assert image["Id"] == saved.image.id.removeprefix("sha256:")


async def test_several_names_of_one_image_are_one_item(rich: Images) -> None:
    await rich.shelf.tag(NAME, "rich:two")
    data = await archive_of(rich, NAME, "rich:two", form="docker")
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        (item,) = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
        for layer in item["Layers"]:
            content = tar.extractfile(layer).read()  # type: ignore[union-attr]
            assert f"{hashlib.sha256(content).hexdigest()}.tar" == layer
    assert item["RepoTags"] == [NAME, "docker.io/library/rich:two"]


async def test_a_sound_image_verifies(rich: Images, root: Path) -> None:
    found = await rich.shelf.verify(NAME)
    assert found.damages == ()
    assert found.size_bytes > sum(p.stat().st_size for p in (root / "layers").rglob("*.erofs"))
    assert not list((root / "partial").iterdir())


async def test_damage_is_named(rich: Images, root: Path) -> None:
    detail = await rich.shelf.detail(NAME)
    first, second, third, _ = detail.layers

    def flip(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(path.stat().st_size // 2)
            byte = file.read(1)[0]
            file.seek(-1, 1)
            file.write(bytes([byte ^ 1]))

    flip(root / "layers/sha256" / f"{first.diff_id.hex}.erofs")
    flip(root / "images/blobs/sha256" / second.descriptor.digest.hex)
    (root / "images/blobs/sha256" / third.descriptor.digest.hex).unlink()
    damages = (await rich.shelf.verify(NAME)).damages
    assert [damage.partition(": ")[0] for damage in damages] == [
        f"layer {layer.descriptor.digest}" for layer in (first, second, third)
    ]
    assert "what is mounted differs" in damages[0]
    assert "no such file" in damages[2]

    flip(root / "images/blobs/sha256" / detail.manifest.config.digest.hex)
    (damage,) = (await rich.shelf.verify(NAME)).damages
    assert damage.startswith(f"config {detail.manifest.config.digest}: its digest is")
    assert not list((root / "partial").iterdir())


async def test_layers_that_are_directories(
    open_images: OpenImages, layout: Path, root: Path
) -> None:
    images = open_images(layer_format=LayerFormat.DIRECTORY)
    (loaded,) = await images.load(layout)
    assert (await images.shelf.verify(loaded.reference)).damages == ()
    # they stay what they are where new ones are EROFS files
    assert (await open_images().shelf.verify(loaded.reference)).damages == ()
    motd = Path(loaded.layers[0].path) / "etc/motd"
    motd.write_text("HELLO\n")
    (damage,) = (await images.shelf.verify(loaded.reference)).damages
    assert "what is mounted differs" in damage
    assert os.listdir(root / "partial") == []


async def test_damaged_corrections_are_named(images: Images, root: Path, tmp_path: Path) -> None:
    """What a layer needs over those below is mounted too, and no blob has it."""
    (loaded,) = await images.load(umoci_layout(tmp_path / "layout", dependent_layers()))
    assert (await images.shelf.verify(loaded.reference)).damages == ()
    (correction,) = (root / "corrections/sha256").glob("*.erofs")
    whole = correction.read_bytes()
    correction.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    (damage,) = (await images.shelf.verify(loaded.reference)).damages
    second = (await images.shelf.detail(loaded.reference)).layers[1]
    assert damage.startswith(f"corrections of layer {second.descriptor.digest}: they differ")
    correction.unlink()
    (damage,) = (await images.shelf.verify(loaded.reference)).damages
    assert "they are not here" in damage
    assert not list((root / "partial").iterdir())


@pytest.mark.parametrize("form", ["oci", "docker"])
async def test_dropped_blobs_come_back_before_a_save(
    form: str, scripted: ScriptedRegistry, images: Images, layout: Path, root: Path
) -> None:
    name = scripted.add_layout(layout)
    image = await images.ensure(name)
    await images.shelf.tag(name, NAME)
    whole = await archive_of(images, NAME, form=form)
    dropped = [layer.descriptor.digest for layer in (await images.shelf.detail(NAME)).layers[1:3]]

    def drop() -> None:
        for digest in dropped:
            (root / "images/blobs/sha256" / digest.hex).unlink()
        scripted.seen.clear()

    drop()
    assert await images.find(NAME)  # a container needs its layers only
    # what has gone since `complete` is fetched too, though nobody is told
    assert await archive_of(images, NAME, form=form) == whole
    await images.remove(name)  # a name given here knows where the image came from
    drop()
    events: list[PullProgress] = []
    await images.complete(NAME, progress=events.append)
    fetched = {event.layer for event in events if event.state is PullState.DOWNLOADING}
    assert fetched == set(map(str, dropped))
    assert events[-1].state is PullState.DONE
    assert scripted.count("/blobs/") == 2
    assert not scripted.count("/manifests/")
    assert await archive_of(images, NAME, form=form) == whole
    assert (await images.find(NAME)).layers == image.layers  # type: ignore[union-attr]
    scripted.seen.clear()
    await images.complete(NAME)
    assert scripted.seen == []
