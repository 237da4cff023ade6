"""The image specification's documents, component by component; each test cites its section."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacker.base.errors import Corrupt, Invalid, NotFound
from stacker.oci import descriptor, documents, image_config, media_types
from stacker.oci import digest as digests
from stacker.oci.descriptor import EMPTY, Descriptor
from stacker.oci.digest import Digest
from stacker.oci.fields import Fields
from stacker.oci.platform import Platform, candidates
from tests.unit.stacker.oci.test_documents import DIGEST, entry, index, manifest, raw


def parsed(document: dict[str, Any]) -> Descriptor:
    return descriptor.parse(Fields(document, "descriptor"))


# --- descriptor.md ------------------------------------------------------------------------------


def test_every_property_of_a_descriptor_comes_back() -> None:
    """descriptor.md, "Properties"; considerations.md, "Extensibility": unknown ones are kept."""
    document = entry(
        mediaType="application/example",
        size=2,
        digest=str(digests.of(b"hi")),
        urls=["https://example.com/blob"],
        annotations={"a": "b"},
        data=base64.b64encode(b"hi").decode(),
        artifactType="application/vnd.example",
        platform={"os": "linux", "architecture": "arm64", "variant": "v8", "x": 1},
        **{"com.example.unknown": {"nested": [1, None]}},
    )
    found = parsed(document)
    assert (found.data, found.urls) == (b"hi", ("https://example.com/blob",))
    assert found.artifact_type == "application/vnd.example"
    assert found.to_json() == document


@pytest.mark.parametrize("data", ["aGk", "!", "aGkh"])
def test_embedded_data_is_checked(data: str) -> None:
    """descriptor.md, "data": it MUST decode to the content of the digest and size."""
    with pytest.raises(Corrupt):
        parsed(entry(data=data, size=2, digest=str(digests.of(b"hi"))))


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_registered_algorithms(algorithm: str) -> None:
    """descriptor.md, "Registered Algorithms": sha256 MUST, sha512 MAY be supported."""
    digest = Digest.parse(f"{algorithm}:{hashlib.new(algorithm, b'hi').hexdigest()}")
    assert digest == digests.of(b"hi", algorithm=algorithm)
    assert parsed(entry(digest=str(digest))).digest == digest


@pytest.mark.parametrize(
    "text", ["sha256:abc", "SHA256:" + "0" * 64, "sha256:" + "A" * 64, "md5:" + "0" * 32, "sha256"]
)
def test_digests_that_are_none(text: str) -> None:
    """descriptor.md, "Digests": lower-case hex of the algorithm's length."""
    with pytest.raises(Invalid):
        Digest.parse(text)


def test_the_empty_descriptor() -> None:
    """manifest.md, "Guidance for an Empty Descriptor": media type, digest, size and data."""
    assert EMPTY.to_json() == {
        "mediaType": "application/vnd.oci.empty.v1+json",
        "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "size": 2,
        "data": "e30=",
    }
    assert parsed(EMPTY.to_json()) == EMPTY


# --- manifest.md --------------------------------------------------------------------------------


def test_an_artifact() -> None:
    """manifest.md, "Guidelines for Artifact Usage": an empty config, and artifactType says what."""
    found = documents.parse_manifest(
        raw(manifest(config=EMPTY.to_json(), artifactType="application/vnd.example",
                     layers=[EMPTY.to_json()], annotations={"k": "v"}))
    )  # fmt: skip
    assert not found.is_image
    assert found.artifact_type == "application/vnd.example"
    with pytest.raises(Corrupt, match="artifactType is missing beside an empty config"):
        documents.parse_manifest(raw(manifest(config=EMPTY.to_json())))


def test_subject() -> None:
    """manifest.md and image-index.md, "subject": a weak association with another manifest."""
    subject = entry(mediaType=media_types.OCI_MANIFEST)
    assert documents.parse_manifest(raw(manifest(subject=subject))).subject == parsed(subject)
    found = documents.parse_index(raw(index(subject=subject, artifactType="a/b")))
    assert (found.subject, found.artifact_type) == (parsed(subject), "a/b")


def test_documents_keep_the_bytes_that_their_digest_names() -> None:
    """considerations.md, "Extensibility": unknown properties MUST NOT be an error, nor be lost."""
    data = json.dumps(manifest(**{"com.example": [1]}), indent=7).encode()
    assert documents.parse_manifest(data).raw == data
    data = raw(index(**{"com.example": 1}))
    assert documents.parse_index(data).raw == data


@pytest.mark.parametrize("suffix", ["", "+gzip", "+zstd"])
def test_layer_media_types(suffix: str) -> None:
    """layer.md, "Distributable Format" and "Non-Distributable Layers": the same archives."""
    packed = suffix.removeprefix("+") or "none"
    for kind in ("layer.v1.tar", "layer.nondistributable.v1.tar"):
        name = f"application/vnd.oci.image.{kind}{suffix}"
        assert media_types.compression_of(name) == packed
        assert media_types.is_distributable(name) is ("nondistributable" not in kind)


# --- image-index.md -----------------------------------------------------------------------------


def offered(*platforms: str | None) -> list[Descriptor]:
    found: list[Descriptor] = []
    for number, text in enumerate(platforms):
        found.append(
            Descriptor(
                media_type=media_types.OCI_MANIFEST,
                digest=Digest("sha256", f"{number:064x}"),
                size=1,
                platform=Platform.parse(text) if text else None,
            )
        )
    return found


def order(wanted: str, *platforms: str | None) -> list[int]:
    return [int(e.digest.hex, 16) for e in candidates(offered(*platforms), Platform.parse(wanted))]


CHOICES: list[tuple[str, list[str | None], list[int]]] = [
    # containerd, platforms.Only: a variant runs the older ones, the newest of them first
    ("linux/arm/v7", ["linux/arm/v5", "linux/arm/v7", "linux/arm/v6", "linux/arm/v8"], [1, 2, 0]),
    ("linux/amd64/v3", ["linux/amd64", "linux/386", "linux/amd64/v2", "linux/amd64/v4"], [2, 0, 1]),
    ("linux/arm64", ["linux/arm/v7", "linux/arm/v8", "linux/arm64", "linux/arm64/v9"], [2, 1, 0]),
    # image-index.md, "manifests": if several match, the first SHOULD be used
    ("linux/amd64", ["linux/amd64", "linux/amd64"], [0, 1]),
    # a platform is OPTIONAL: what names none is looked into last
    ("linux/amd64", [None, "linux/amd64", "linux/s390x"], [1, 0]),
    # "os.version": the same one first, others not at all where one is wanted
    ("linux(2)/amd64", ["linux/amd64", "linux(1)/amd64", "linux(2)/amd64"], [2, 0]),
    ("linux/amd64", ["linux(1)/amd64", "linux/amd64"], [1, 0]),
    # "os.features": those that are REQUIRED must be offered
    ("linux/amd64", ["linux(+gpu)/amd64", "linux/amd64"], [1]),
    ("linux(+gpu)/amd64", ["linux(+gpu)/amd64", "linux/amd64"], [0, 1]),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "platforms", "expected"), CHOICES)
def test_choice(wanted: str, platforms: list[str | None], expected: list[int]) -> None:
    assert order(wanted, *platforms) == expected


def test_no_choice_says_what_there_is() -> None:
    with pytest.raises(NotFound, match=r"no image for linux/s390x in the index, only for linux/"):
        order("linux/s390x", "linux/amd64", "linux/arm64")


PARTS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=8)


@given(PARTS, PARTS, st.one_of(st.just(""), PARTS), st.lists(PARTS, max_size=2))
def test_a_platform_is_read_as_it_is_written(
    system: str, architecture: str, version: str, features: list[str]
) -> None:
    made = Platform.make(
        os=system, architecture=architecture, os_version=version, os_features=tuple(features)
    )
    assert Platform.parse(str(made)) == made


# --- config.md ----------------------------------------------------------------------------------


def test_config_keeps_what_it_does_not_know() -> None:
    """config.md: "Any extra fields in the image JSON struct are considered implementation
    specific and MUST be ignored"; so they go on as bytes."""
    document = {
        "os": "linux", "architecture": "amd64", "os.version": "1", "os.features": ["f"],
        "rootfs": {"type": "layers", "diff_ids": [DIGEST]}, "com.example": {"a": 1},
    }  # fmt: skip
    data = json.dumps(document, indent=3).encode()
    found = image_config.parse(data)
    assert found.raw == data
    assert (found.os_version, found.os_features) == ("1", ("f",))
