"""Images out of files: layouts, docker archives, root file systems."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard

from stacker.base.errors import Corrupt, Invalid, NotFound, StackerError
from stacker.drivers.images.images import Images
from stacker.oci.image_config import Healthcheck
from tests.integration.images.conftest import OpenImages
from tests.registries.debian import run
from tests.registries.made import folder, member, tar_of, umoci_layout

CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ROOT_TAR = tar_of(folder("bin"), member("bin/httpd", b"#!", mode=0o755))


@pytest.fixture(scope="session")
def files(layout: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The rich image in every form it travels in."""
    where = tmp_path_factory.mktemp("files")
    forms = {
        "layout": layout,
        "layout.tar": where / "layout.tar",
        "layout.tar.gz": where / "layout.tar.gz",
        "layout.tar.zst": where / "layout.tar.zst",
        "docker.tar": where / "docker.tar",
    }
    run("tar", "-C", str(layout), "-cf", str(forms["layout.tar"]), ".")
    data = forms["layout.tar"].read_bytes()
    forms["layout.tar.gz"].write_bytes(gzip.compress(data, 1))
    forms["layout.tar.zst"].write_bytes(zstandard.compress(data, 1))
    archive = f"docker-archive:{forms['docker.tar']}:example/rich:1.0"
    run("skopeo", "copy", "-q", f"oci:{layout}:t", archive)
    return forms


NAMES = {
    "layout": "localhost/layout:t",
    "layout.tar": "localhost/layout:t",
    "layout.tar.gz": "localhost/layout:t",
    "layout.tar.zst": "localhost/layout:t",
    "docker.tar": "docker.io/example/rich:1.0",
}


@pytest.mark.parametrize("form", NAMES)
async def test_load(form: str, files: dict[str, Path], images: Images, root: Path) -> None:
    (image,) = await images.load(files[form])
    assert image.reference == NAMES[form]
    assert image.config.cmd == ("/bin/su",)
    assert len(image.layers) == 4
    assert await images.find(NAMES[form]) == image
    assert list((root / "partial").iterdir()) == []

    inspected = json.loads(run("skopeo", "inspect", f"oci:{root}/images:{NAMES[form]}"))
    assert inspected["Digest"] == image.manifest_digest


async def test_every_form_is_the_same_image(files: dict[str, Path], images: Images) -> None:
    loaded = [image for file in files.values() for image in await images.load(file)]
    assert len({image.id for image in loaded}) == 1
    assert len({image.layers for image in loaded}) == 1


async def test_load_a_stream(files: dict[str, Path], images: Images) -> None:
    async def stream() -> AsyncIterator[bytes]:
        data = files["docker.tar"].read_bytes()
        for start in range(0, len(data), 10_007):
            yield data[start : start + 10_007]
            yield b""

    (image,) = await images.load(stream())
    assert image.reference == NAMES["docker.tar"]


async def test_several_images_of_one_layout(images: Images, tmp_path: Path) -> None:
    where = umoci_layout(tmp_path / "many", (tar_of(folder("a")),), tag="one")
    run("umoci", "tag", "--image", f"{where}:one", "two")
    run("umoci", "config", "--image", f"{where}:two", "--config.user", "1000")
    run("umoci", "tag", "--image", f"{where}:two", "docker.io/library/full:3")
    loaded = {image.reference: image for image in await images.load(where)}
    assert set(loaded) == {
        "localhost/many:one",
        "localhost/many:two",
        "docker.io/library/full:3",
    }
    assert loaded["localhost/many:two"].config.user == "1000"


async def test_archive_whose_layers_are_links(
    files: dict[str, Path], images: Images, tmp_path: Path
) -> None:
    """As old versions of docker save write equal layers."""
    links = tmp_path / "links.tar"
    with tarfile.open(files["docker.tar"]) as old, tarfile.open(links, "w") as new:
        manifest = json.loads(_read(old, "manifest.json"))
        for number, layer in enumerate(manifest[0]["Layers"]):
            _add(new, f"data/{number}/real.tar", _read(old, layer))
            link = tarfile.TarInfo(f"{number}/layer.tar")
            link.type, link.linkname = tarfile.SYMTYPE, f"../data/{number}/real.tar"
            new.addfile(link)
            manifest[0]["Layers"][number] = f"{number}/layer.tar"
        _add(new, "config.json", _read(old, manifest[0]["Config"]))
        manifest[0]["Config"], manifest[0]["RepoTags"] = "config.json", None
        _add(new, "manifest.json", json.dumps(manifest).encode())
    (image,) = await images.load(links)
    assert image.reference == image.manifest_digest  # it has no name
    assert await images.find(image.id[7:]) == image


def _broken_layout(layout: Path, where: Path, change: Callable[[Path], None]) -> Path:
    run("cp", "-r", str(layout), str(where))
    change(where)
    return where


def _largest_blob(layout: Path) -> Path:
    return max((layout / "blobs/sha256").iterdir(), key=lambda file: file.stat().st_size)


def _flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def _to_link(file: Path) -> None:
    """GHSA-r3h2-rgqf-9hv9: a layout that leads out of its folder."""
    away = file.parents[2].with_name("away")
    file.rename(away)
    file.symlink_to(away)


def _to_fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "a bit flipped": (lambda where: _flip(_largest_blob(where)), "layer .*"),
    "a blob cut": (lambda where: _largest_blob(where).write_bytes(b"\x1f\x8b"), "layer .*"),
    "a blob gone": (lambda where: _largest_blob(where).unlink(), "the layout has no blobs/sha256"),
    "a blob is a link": (lambda where: _to_link(_largest_blob(where)), "open blobs"),
    "a blob is a FIFO": (lambda where: _to_fifo(_largest_blob(where)), "it ends after 0"),
    "no oci-layout": (
        lambda where: (where / "oci-layout").unlink(),
        "the layout has no oci-layout",
    ),
    "another version": (
        lambda where: (where / "oci-layout").write_text('{"imageLayoutVersion":"9.0"}'),
        "version '9.0' is not known",
    ),
    "index is no JSON": (
        lambda where: (where / "index.json").write_text("{"),
        "is not strict JSON",
    ),
    "nothing in it": (
        lambda where: (where / "index.json").write_text('{"schemaVersion":2,"manifests":[]}'),
        "there is no image in it",
    ),
}


@pytest.mark.parametrize("damage", BROKEN)
async def test_broken_layout(
    damage: str,
    layout: Path,
    images: Images,
    tmp_path: Path,
    root: Path,
    final_names: Callable[[], set[str]],
) -> None:
    change, text = BROKEN[damage]
    where = _broken_layout(layout, tmp_path / "broken", change)
    with pytest.raises(StackerError, match=f"^load {where}: (.*: )?{text}"):
        await images.load(where)
    assert await images.list() == ()
    await images.collect()
    assert final_names() == set()
    assert list((root / "partial").iterdir()) == []


NOT_ARCHIVES: dict[str, tuple[bytes, type[StackerError], str]] = {
    "empty": (b"", Corrupt, "empty"),
    "text": (b"not an archive at all, but long enough" * 20, Corrupt, ""),
    "a root file system": (ROOT_TAR, Invalid, "neither an OCI layout nor a docker archive"),
    "cut short": (gzip.compress(ROOT_TAR)[:-20], Corrupt, "cut short"),
    "xz": (b"\xfd7zXZ\0" + b"x" * 100, Invalid, "packed with xz"),
}


@pytest.mark.parametrize("kind", NOT_ARCHIVES)
async def test_not_an_archive(kind: str, images: Images, tmp_path: Path, root: Path) -> None:
    data, error, text = NOT_ARCHIVES[kind]
    file = tmp_path / "file"
    file.write_bytes(data)
    with pytest.raises(error, match=f"^load {file}: .*{text}"):
        await images.load(file)
    assert list((root / "partial").iterdir()) == []


async def test_missing_file(images: Images, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="gone"):
        await images.load(tmp_path / "gone")


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, zstandard.compress], ids=["plain", "gzip", "zstd"]
)
async def test_import(pack: Callable[[bytes], bytes], images: Images, tmp_path: Path) -> None:
    file = tmp_path / "root.tar"
    file.write_bytes(pack(ROOT_TAR))
    image = await images.import_tar(
        file,
        reference="stacker/example:1",
        changes=[
            'CMD ["httpd", "-f"]',
            'ENV A=1 B="two words"',
            "EXPOSE 80 8000-8001/udp",
            "HEALTHCHECK --interval=2s --retries=3 CMD wget -q localhost",
            "LABEL com.example=yes",
            "USER 1000:1000",
            "WORKDIR /srv",
            "WORKDIR www",
            'VOLUME ["/data"]',
            "STOPSIGNAL SIGQUIT",
            'ENTRYPOINT ["/init"]',
        ],
        message="from a tar",
    )
    config = image.config
    assert image.reference == "docker.io/stacker/example:1"
    assert config.cmd == ("httpd", "-f")
    assert config.entrypoint == ("/init",)
    assert config.env == ("A=1", "B=two words")
    assert config.exposed_ports == ("80/tcp", "8000/udp", "8001/udp")
    assert config.healthcheck == Healthcheck(
        test=("CMD-SHELL", "wget -q localhost"), interval_ns=2_000_000_000, retries=3
    )
    assert config.labels == {"com.example": "yes"}
    assert config.user == "1000:1000"
    assert config.working_dir == "/srv/www"
    assert config.volumes == ("/data",)
    assert config.stop_signal == "SIGQUIT"
    assert config.history[0].comment == "from a tar"
    # a name without a registry that is here is never looked for in one
    assert await images.ensure("stacker/example:1") == image


async def test_import_is_reproducible(
    tmp_path: Path, open_images: OpenImages, final_names: Callable[[], set[str]]
) -> None:
    file = tmp_path / "root.tar"
    file.write_bytes(ROOT_TAR)
    seen = set()
    for _ in range(2):
        images = open_images()
        image = await images.import_tar(
            file, reference="a:1", changes=["CMD httpd"], created=CREATED
        )
        assert image.created == CREATED
        seen.add((image.id, image.manifest_digest))
        await images.remove("a:1")
        assert final_names() == set()
    assert len(seen) == 1


@pytest.mark.parametrize("change", ["ONBUILD CMD x", "RUN x", "ENV A", "EXPOSE 0", "CMD2", ""])
async def test_import_with_a_bad_change(change: str, images: Images, tmp_path: Path) -> None:
    file = tmp_path / "root.tar"
    file.write_bytes(ROOT_TAR)
    with pytest.raises(Invalid, match="change"):
        await images.import_tar(file, reference="a:1", changes=[change])
    assert await images.list() == ()


@pytest.mark.parametrize("kind", ["empty", "text", "cut short", "xz"])
async def test_import_of_what_is_no_tar(
    kind: str, images: Images, tmp_path: Path, root: Path, final_names: Callable[[], set[str]]
) -> None:
    data, error, text = NOT_ARCHIVES[kind]
    file = tmp_path / "file"
    file.write_bytes(data)
    with pytest.raises(error, match=f"^import docker.io/library/a:1: .*{text}"):
        await images.import_tar(file, reference="a:1")
    assert list((root / "partial").iterdir()) == []
    assert final_names() == set()


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    stream = archive.extractfile(name)
    assert stream is not None
    return stream.read()


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))
