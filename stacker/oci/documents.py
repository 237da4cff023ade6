"""Is it a manifest or an index? One answer, on which every witness must agree.

The same digest read once as a manifest and once as an index is CVE-2021-41190: so the type in the
document, the Content-Type it came with, the descriptor that named it and its own shape are
compared, and what is in doubt is refused.
"""

from __future__ import annotations

from stacker.base.errors import Corrupt, Unsupported
from stacker.oci import index, manifest, media_types
from stacker.oci.fields import Fields, load_object
from stacker.oci.index import Index
from stacker.oci.manifest import Manifest


def parse(
    data: bytes, *, content_type: str | None = None, expected: str | None = None
) -> Manifest | Index:
    """Read a manifest or index; `expected` is the media type of the descriptor that named it."""
    fields = load_object(data, what="manifest")
    fields.refuse_other_cases(manifest.KEYS)
    media_type = _agreed_type(fields, content_type=content_type, expected=expected)
    if fields.integer("schemaVersion") != 2:
        raise fields.wrong("schemaVersion is not 2")

    has_manifests, has_layers = fields.has("manifests"), fields.has("layers")
    if has_manifests and (has_layers or fields.has("config")):
        raise fields.wrong("it is both a manifest and an index")
    if fields.has("fsLayers") or fields.has("signatures"):
        raise fields.wrong("it mixes schema 1 and schema 2")

    if media_type in media_types.INDEXES:
        if not has_manifests:
            raise fields.wrong(f"manifests is missing in {media_type}")

        return index.from_fields(fields, media_type=media_type, raw=data)

    if not has_layers:
        raise fields.wrong(f"layers is missing in {media_type}")

    return manifest.from_fields(fields, media_type=media_type, raw=data)


def parse_manifest(data: bytes, *, expected: str | None = None) -> Manifest:
    """Read a document that must be a manifest."""
    document = parse(data, expected=expected)
    if isinstance(document, Index):
        raise Corrupt("manifest: it is an index")

    return document


def parse_index(data: bytes, *, expected: str | None = None) -> Index:
    """Read a document that must be an index."""
    document = parse(data, expected=expected or media_types.OCI_INDEX)
    if isinstance(document, Manifest):
        raise Corrupt("index: it is a manifest")

    return document


def _agreed_type(fields: Fields, *, content_type: str | None, expected: str | None) -> str:
    inside = fields.text_or_none("mediaType")
    outside = media_types.essence(content_type) if content_type else None
    if inside in media_types.SCHEMA_1 or outside in media_types.SCHEMA_1:
        raise Unsupported("manifest: schema 1 images are not supported; push the image again")
    if inside is None and expected is None and not fields.has("schemaVersion"):
        raise fields.wrong("it has neither mediaType nor schemaVersion")

    named = {name for name in (inside, outside, expected) if name is not None}
    if not named:
        raise fields.wrong("nothing says what type it is")
    if len(named) > 1:
        raise fields.wrong(f"its types disagree: {', '.join(sorted(named))[:200]}")

    media_type = named.pop()
    if media_type not in media_types.MANIFESTS | media_types.INDEXES:
        raise fields.wrong(f"type {media_type[:100]!r} is neither a manifest nor an index")

    return media_type
