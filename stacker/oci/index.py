"""Image indexes and manifest lists: one entry for each platform."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stacker.oci import descriptor
from stacker.oci.descriptor import Descriptor
from stacker.oci.fields import Fields

ENTRY_LIMIT = 1000
DEPTH_LIMIT = 3
"""An index may name indexes: bounded, since each level multiplies (CVE-2026-53493)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    media_type: str
    manifests: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    artifact_type: str | None = None
    subject: Descriptor | None = None
    raw: bytes = field(repr=False)


def from_fields(fields: Fields, *, media_type: str, raw: bytes) -> Index:
    """Build an index from a document whose type `documents.parse` has settled."""
    subject = fields.child("subject")
    return Index(
        media_type=media_type,
        manifests=tuple(map(descriptor.parse, fields.children("manifests", limit=ENTRY_LIMIT))),
        annotations=fields.text_map("annotations"),
        artifact_type=fields.text_or_none("artifactType"),
        subject=descriptor.parse(subject) if subject else None,
        raw=raw,
    )
