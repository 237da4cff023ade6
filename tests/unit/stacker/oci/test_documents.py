"""C2 and I1: documents with two meanings, or too large for one, are refused."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacker.base.errors import Corrupt, NotFound, StackerError, Unsupported
from stacker.oci import digest as digests
from stacker.oci import documents, media_types
from stacker.oci.index import Index
from stacker.oci.manifest import Manifest
from stacker.oci.platform import Platform, candidates
from tests.support.quick import quick

DIGEST = "sha256:" + "0" * 64
OTHER = "sha256:" + "1" * 64


def entry(**changes: Any) -> dict[str, Any]:
    base = {"mediaType": media_types.OCI_LAYER_GZIP, "digest": DIGEST, "size": 10}
    return {**base, **changes}


def manifest(**changes: Any) -> dict[str, Any]:
    base = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": entry(mediaType=media_types.OCI_CONFIG),
        "layers": [entry()],
    }
    return {**base, **changes}


def index(**changes: Any) -> dict[str, Any]:
    base = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [entry(mediaType=media_types.OCI_MANIFEST)],
    }
    return {**base, **changes}


def without(document: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != key}


def raw(document: object) -> bytes:
    return json.dumps(document).encode()


def test_a_manifest() -> None:
    parsed = documents.parse(raw(manifest()), content_type=media_types.OCI_MANIFEST)
    assert isinstance(parsed, Manifest)
    assert parsed.is_image
    assert parsed.layers[0].size == 10


def test_an_index() -> None:
    content_type = f"{media_types.OCI_INDEX.upper()}; charset=utf-8"
    assert isinstance(documents.parse(raw(index()), content_type=content_type), Index)


def test_type_may_come_from_outside_alone() -> None:
    data = raw(without(manifest(), "mediaType"))
    assert isinstance(documents.parse(data, expected=media_types.OCI_MANIFEST), Manifest)


def test_embedded_data_must_agree() -> None:
    good = entry(data="aGk=", size=2, digest=str(digests.of(b"hi")))
    assert documents.parse_manifest(raw(manifest(config=good))).config.data == b"hi"


AMBIGUOUS: dict[str, tuple[bytes, str | None, str | None]] = {
    "both lists": (raw({**manifest(), **index()}), None, None),
    "both lists as a manifest": (raw({**index(), **manifest()}), None, None),
    "manifest with manifests": (raw(manifest(manifests=[])), None, None),
    "index with layers": (raw(index(layers=[])), None, None),
    "index with a config": (raw(index(config=entry())), None, None),
    "manifest named an index inside": (
        raw(manifest(mediaType=media_types.OCI_INDEX)),
        None,
        None,
    ),
    "index named a manifest inside": (raw(index(mediaType=media_types.OCI_MANIFEST)), None, None),
    "header says index": (raw(manifest()), media_types.OCI_INDEX, None),
    "header says docker": (raw(manifest()), media_types.DOCKER_MANIFEST, None),
    "header says JSON": (raw(manifest()), "application/json", None),
    "header says text": (raw(manifest()), "text/html", None),
    "descriptor says index": (raw(manifest()), None, media_types.OCI_INDEX),
    "descriptor says docker": (raw(manifest()), None, media_types.DOCKER_MANIFEST),
    "header and descriptor differ": (
        raw(without(manifest(), "mediaType")),
        media_types.OCI_MANIFEST,
        media_types.OCI_INDEX,
    ),
    "nothing says": (raw(without(manifest(), "mediaType")), None, None),
    "unknown type": (raw(manifest(mediaType="a/b")), None, None),
    "type is a number": (raw(manifest(mediaType=1)), None, None),
    "type in capitals": (raw(manifest(mediaType=media_types.OCI_MANIFEST.upper())), None, None),
    "schema version 1": (raw(manifest(schemaVersion=1)), None, None),
    "schema version as text": (raw(manifest(schemaVersion="2")), None, None),
    "schema version as a flag": (raw(manifest(schemaVersion=True)), None, None),
    "no schema version": (raw(without(manifest(), "schemaVersion")), None, None),
    "schema 1 fields": (raw(manifest(fsLayers=[{"blobSum": DIGEST}])), None, None),
    "signatures": (raw(manifest(signatures=[{}])), None, None),
    "key twice": (raw(manifest())[:-1] + b', "layers": []}', None, None),
    "key twice in a descriptor": (
        raw(manifest()).replace(b'"size": 10', b'"size": 10, "size": 11'),
        None,
        None,
    ),
    "key in capitals": (raw(manifest(Layers=[])), None, None),
    "manifests in capitals": (raw(manifest(MANIFESTS=[])), None, None),
    "descriptor key in capitals": (raw(manifest(layers=[entry(Digest=OTHER)])), None, None),
    "no config": (raw(without(manifest(), "config")), None, None),
    "no layers": (raw(without(manifest(), "layers")), None, None),
    "no manifests": (raw(without(index(), "manifests")), None, None),
    "layers is an object": (raw(manifest(layers={})), None, None),
    "a layer is text": (raw(manifest(layers=[DIGEST])), None, None),
    "a layer is null": (raw(manifest(layers=[None])), None, None),
    "digest missing": (raw(manifest(layers=[without(entry(), "digest")])), None, None),
    "digest with a path": (raw(manifest(layers=[entry(digest="sha256:../x")])), None, None),
    "size negative": (raw(manifest(layers=[entry(size=-1)])), None, None),
    "size too large": (raw(manifest(layers=[entry(size=2**63)])), None, None),
    "size broken": (raw(manifest(layers=[entry(size=1.5)])), None, None),
    "size as text": (raw(manifest(layers=[entry(size="10")])), None, None),
    "config too large": (
        raw(manifest(config=entry(mediaType=media_types.OCI_CONFIG, size=2**33))),
        None,
        None,
    ),
    "size missing": (raw(manifest(layers=[without(entry(), "size")])), None, None),
    "data of another digest": (raw(manifest(config=entry(data="aGk=", size=2))), None, None),
    "data that is no base64": (raw(manifest(config=entry(data="!"))), None, None),
    "annotations of numbers": (raw(manifest(annotations={"a": 1})), None, None),
    "half a surrogate": (raw(manifest(annotations={"a": "\ud800"})), None, None),
    "not UTF-8": (b'{"a": "\xff"}', None, None),
    "NaN": (raw(manifest(x=float("nan"))), None, None),
    "a list": (b"[]", None, None),
    "text after it": (raw(manifest()) + b"x", None, None),
    "empty": (b"", None, None),
}


@pytest.mark.parametrize("kind", AMBIGUOUS)
def test_ambiguous(kind: str) -> None:
    data, content_type, expected = AMBIGUOUS[kind]
    with pytest.raises(Corrupt):
        documents.parse(data, content_type=content_type, expected=expected)


@pytest.mark.parametrize("media_type", sorted(media_types.SCHEMA_1))
def test_schema_1_has_its_own_message(media_type: str) -> None:
    with pytest.raises(Unsupported, match="schema 1"):
        documents.parse(b'{"schemaVersion": 1}', content_type=media_type)


LARGE: dict[str, bytes] = {
    "long": b" " * (4 * 1024 * 1024 + 1),
    "deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "many layers": raw(manifest(layers=[entry()] * 20_000)),
    "many manifests": raw(index(manifests=[entry()] * 20_000)),
    "a long number": raw(manifest()).replace(b": 10", b": " + b"1" * 100_000),
}


@pytest.mark.parametrize("kind", LARGE)
def test_large(kind: str) -> None:
    """C5: refused at once."""

    def refused() -> None:
        with pytest.raises(Corrupt):
            documents.parse(LARGE[kind])

    quick(refused, limit_s=1)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(VALUES, st.sampled_from(sorted(manifest())))
def test_any_value_in_any_field(value: object, key: str) -> None:
    with suppress(Corrupt, Unsupported):
        documents.parse(raw({**manifest(), key: value}))


def test_choice_of_platform() -> None:
    offered = ["linux/arm/v6", "linux/arm/v7", "linux/arm64", "windows/amd64", "linux/amd64"]
    entries = [
        entry(
            mediaType=media_types.OCI_MANIFEST,
            digest=f"sha256:{number:064}",
            platform=dict(zip(("os", "architecture", "variant"), name.split("/"), strict=False)),
        )
        for number, name in enumerate(offered)
    ]
    parsed = documents.parse_index(raw(index(manifests=[*entries, entry()])))
    wanted = {"linux/arm64/v8": 2, "linux/arm/v8": 1, "arm/v6": None, "amd64": 4, "arm": 1}
    wanted |= {"linux/arm/v6": 0, "linux/amd64/v3": 4, "linux/386": None}
    for name, number in wanted.items():
        if number is None:
            with pytest.raises((NotFound, StackerError)):
                candidates(parsed.manifests, Platform.parse(name))
        else:
            chosen = candidates(parsed.manifests, Platform.parse(name))[0]
            assert int(chosen.digest.hex) == number, name
