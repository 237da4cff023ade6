"""Layouts with every kind of document: nested indexes, sha512, embedded data, artifacts."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from stacker.base.errors import NotFound, Unsupported
from stacker.drivers.images.images import Images
from stacker.oci import media_types
from stacker.oci.descriptor import EMPTY
from tests.registries.debian import run
from tests.registries.made import folder, member, tar_of

TAR = tar_of(folder("bin"), member("bin/x", b"x" * 5000, mode=0o755))


class Layout:
    """A layout that is written by hand."""

    def __init__(self, folder: Path, algorithm: str = "sha256") -> None:
        self.folder = folder
        self.algorithm = algorithm
        (folder / "blobs" / algorithm).mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def blob(self, data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
        digest = hashlib.new(self.algorithm, data).hexdigest()
        (self.folder / "blobs" / self.algorithm / digest).write_bytes(data)
        digest = f"{self.algorithm}:{digest}"
        return {"mediaType": media_type, "digest": digest, "size": len(data), **more}

    def document(self, document: dict[str, Any], **more: Any) -> dict[str, Any]:
        media_type = document["mediaType"]
        return self.blob(json.dumps(document).encode(), media_type, **more)

    def image(self, architecture: str, *, layer: str = media_types.OCI_LAYER_GZIP, **more: Any):
        diff_id = f"{self.algorithm}:{hashlib.new(self.algorithm, TAR).hexdigest()}"
        config = {
            "os": "linux", "architecture": architecture, "config": {"Cmd": [architecture]},
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        }  # fmt: skip
        packed = gzip.compress(TAR, 1, mtime=0)
        return self.document(
            {
                "schemaVersion": 2,
                "mediaType": media_types.OCI_MANIFEST,
                "config": self.blob(json.dumps(config).encode(), media_types.OCI_CONFIG),
                "layers": [self.blob(packed, layer)],
            },
            **more,
        )

    def index(self, *entries: dict[str, Any], **more: Any) -> dict[str, Any]:
        document = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": entries}
        return self.document(document, **more)

    def name(self, entry: dict[str, Any], name: str = "example.com/x:1") -> Path:
        named = {**entry, "annotations": {"org.opencontainers.image.ref.name": name}}
        index = {"schemaVersion": 2, "manifests": [named]}
        (self.folder / "index.json").write_text(json.dumps(index))
        return self.folder


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def on(platform: str) -> dict[str, Any]:
    names = ("os", "architecture", "variant")
    return {"platform": dict(zip(names, platform.split("/"), strict=False))}


async def loaded(images: Images, folder: Path, platform: str = "linux/amd64") -> str:
    (image,) = await images.load(folder, platform=platform)
    return image.config.cmd[0]


async def test_an_index_of_indexes(images: Images, layout: Layout) -> None:
    """image-index.md, "manifests": nested indexes; one that has nothing for us is passed by."""
    nested = layout.index(
        layout.index(layout.image("s390x", **on("linux/s390x"))),
        layout.index(layout.image("amd64", **on("linux/amd64")), **on("linux/amd64")),
        layout.index(layout.image("arm64", **on("linux/arm64"))),
    )
    folder = layout.name(nested)
    assert await loaded(images, folder) == "amd64"
    assert await loaded(images, folder, "linux/arm64") == "arm64"
    with pytest.raises(NotFound, match="no image for linux/riscv64"):
        await loaded(images, folder, "linux/riscv64")


async def test_entries_without_a_platform(images: Images, layout: Layout) -> None:
    """descriptor "platform" is OPTIONAL: their configs say what they are."""
    artifact = layout.document(
        {
            "schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST, "artifactType": "a/b",
            "config": EMPTY.to_json(), "layers": [EMPTY.to_json()],
        }
    )  # fmt: skip
    entries = (artifact, layout.image("s390x"), layout.image("amd64"))
    assert await loaded(images, layout.name(layout.index(*entries))) == "amd64"


async def test_sha512_all_through(images: Images, tmp_path: Path) -> None:
    """descriptor.md, "SHA-512": of manifests, configs, blobs and diff ids."""
    made = Layout(tmp_path / "long", "sha512")
    assert await loaded(images, made.name(made.image("amd64"))) == "amd64"
    assert (await images.shelf.verify("example.com/x:1")).damages == ()
    detail = await images.shelf.detail("example.com/x:1")
    assert {str(layer.diff_id).partition(":")[0] for layer in detail.layers} == {"sha512"}


async def test_non_distributable_layers_are_read(images: Images, layout: Layout) -> None:
    """layer.md, "Non-Distributable Layers": where the blob is at hand, it is as any other."""
    kind = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    assert await loaded(images, layout.name(layout.image("amd64", layer=kind))) == "amd64"


async def test_an_artifact_is_no_image(images: Images, layout: Layout) -> None:
    document = {
        "schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST, "artifactType": "a/b",
        "config": EMPTY.to_json(), "layers": [EMPTY.to_json()],
    }  # fmt: skip
    with pytest.raises(Unsupported, match="it is no image but 'a/b'"):
        await images.load(layout.name(layout.document(document)))


async def test_unknown_fields_of_a_layout_stay(images: Images, layout: Layout) -> None:
    """image-layout.md: what others have in index.json is there when we have written to it."""
    foreign = layout.image("amd64", **{"com.example": {"a": [1]}, "urls": ["https://x.example"]})
    folder = layout.name(foreign, "foreign:1")
    before = json.loads((folder / "index.json").read_text())["manifests"][0]
    await images.load(folder)
    await images.shelf.tag("docker.io/library/foreign:1", "example.com/ours:1")
    await images.shelf.write_layout(["example.com/ours:1"], folder)
    entries = json.loads((folder / "index.json").read_text())["manifests"]
    assert entries[0] == before
    assert len(entries) == 2
    run("skopeo", "inspect", f"oci:{folder}:example.com/ours:1")
