"""A new image config: from nothing, or from another image's with one layer more.

What the base's config says beside what is changed here is kept, fields that we do not know too.
Times are arguments: the same ones give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from stacker.base import canonical_json
from stacker.oci import changes as image_changes
from stacker.oci import image_config, media_types
from stacker.oci.changes import Draft
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.fields import DOCUMENT_LIMIT, load_json
from stacker.oci.platform import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """How an image comes about."""

    created: datetime
    created_by: str
    """For its history: ``stacker import``."""
    message: str = ""
    author: str = ""
    changes: tuple[str, ...] = ()
    """Instructions as in a Dockerfile."""


def fresh_config(making: Making, *, platform: Platform, diff_id: Digest) -> bytes:
    """The config of an image of one layer."""
    config: dict[str, object] = {"architecture": platform.architecture, "os": platform.os}
    if platform.variant:
        config["variant"] = platform.variant
    return _with_layer(config, making, image_changes.apply(making.changes), diff_id)


def derived_config(base: bytes, making: Making, *, diff_id: Digest) -> bytes:
    """The base's config with one layer more, and what is changed."""
    document = cast("dict[str, object]", load_json(base, what="image config", limit=DOCUMENT_LIMIT))
    draft = image_changes.apply(making.changes, Draft.of(image_config.parse(base)))
    return _with_layer(document, making, draft, diff_id)


def manifest(config: Descriptor, layers: Iterable[Descriptor]) -> bytes:
    """The manifest of an image that was made here."""
    return canonical_json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_MANIFEST,
            "config": config.to_json(),
            "layers": [layer.to_json() for layer in layers],
        }
    )


def _with_layer(
    document: dict[str, object], making: Making, draft: Draft, diff_id: Digest
) -> bytes:
    moment = making.created.astimezone(UTC).isoformat().replace("+00:00", "Z")
    entry: dict[str, object] = {"created": moment, "created_by": making.created_by}
    if making.author:
        entry["author"] = making.author
    if making.message:
        entry["comment"] = making.message

    rootfs = cast("dict[str, object]", document.get("rootfs") or {})
    diff_ids = cast("list[object]", rootfs.get("diff_ids") or [])
    history = cast("list[object]", document.get("history") or [])
    before = cast("dict[str, object]", document.get("config") or {})
    kept = {key: value for key, value in before.items() if key not in image_changes.FIELDS}
    fresh: dict[str, object] = {
        "created": moment,
        "config": {**kept, **draft.to_json()},
        "rootfs": {**rootfs, "type": "layers", "diff_ids": [*diff_ids, str(diff_id)]},
        "history": [*history, entry],
    }
    if making.author:
        fresh["author"] = making.author
    return canonical_json.dumps({**document, **fresh})
