"""Image manifests: one config and the layers above one another, lowest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stacker.oci import descriptor, media_types
from stacker.oci.descriptor import Descriptor
from stacker.oci.fields import DOCUMENT_LIMIT, Fields

LAYER_LIMIT = 500
"""overlayfs takes 500 lower layers; Docker stops at 127."""

KEYS = (
    "schemaVersion", "mediaType", "config", "layers", "manifests", "subject", "annotations",
    "artifactType", "fsLayers", "history", "signatures",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    artifact_type: str | None = None
    subject: Descriptor | None = None
    raw: bytes = field(repr=False)
    """The bytes whose digest names the manifest."""

    @property
    def is_image(self) -> bool:
        """Whether this can be run; an artifact has a config of some other type."""
        return self.config.media_type in media_types.CONFIGS


def from_fields(fields: Fields, *, media_type: str, raw: bytes) -> Manifest:
    """Build a manifest from a document whose type `documents.parse` has settled."""
    config = fields.child("config")
    if config is None:
        raise fields.wrong("config is missing")

    config_entry = descriptor.parse(config)
    if config_entry.size > DOCUMENT_LIMIT and config_entry.media_type in media_types.CONFIGS:
        raise fields.wrong(f"a config of {config_entry.size} bytes is too large")

    artifact_type = fields.text_or_none("artifactType")
    if config_entry.media_type == media_types.OCI_EMPTY and not artifact_type:
        # manifest.md, "artifactType": MUST be set then, or nothing says what it is
        raise fields.wrong("artifactType is missing beside an empty config")

    subject = fields.child("subject")
    return Manifest(
        media_type=media_type,
        config=config_entry,
        layers=tuple(map(descriptor.parse, fields.children("layers", limit=LAYER_LIMIT))),
        annotations=fields.text_map("annotations"),
        artifact_type=artifact_type,
        subject=descriptor.parse(subject) if subject else None,
        raw=raw,
    )
