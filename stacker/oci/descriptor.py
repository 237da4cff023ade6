"""Descriptors: how one piece of content names another, with its size and digest.

What a descriptor points to is read no further than `size` and kept only when `digest` agrees.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field

from stacker.oci import digest as digests
from stacker.oci import media_types
from stacker.oci.digest import Digest
from stacker.oci.fields import Fields
from stacker.oci.platform import Platform

_KEYS = ("mediaType", "digest", "size", "platform", "annotations", "urls", "data", "artifactType")


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    annotations: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    artifact_type: str | None = None
    urls: tuple[str, ...] = ()
    """Where else the content is said to be. Never fetched: CVE-2020-15157."""
    data: bytes | None = field(default=None, repr=False)
    """The content itself where it is embedded; agrees with size and digest."""
    found: Mapping[str, object] = field(
        default_factory=dict[str, object], repr=False, hash=False, compare=False
    )
    """The object that it was read from: fields that we do not know are written out again."""

    @classmethod
    def of(cls, media_type: str, data: bytes) -> Descriptor:
        """What names these bytes."""
        return cls(media_type=media_type, digest=digests.of(data), size=len(data))

    def to_json(self) -> dict[str, object]:
        """The document's form, with empty fields left out and unknown ones kept."""
        out = {key: value for key, value in self.found.items() if key not in _KEYS}
        out |= {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}
        if self.platform is not None:
            # as it was spelled: our own spelling leaves defaults out
            out["platform"] = self.found.get("platform") or self.platform.to_json()
        if self.urls:
            out["urls"] = list(self.urls)
        if self.data is not None:
            out["data"] = base64.b64encode(self.data).decode()
        if self.annotations:
            out["annotations"] = dict(self.annotations)
        if self.artifact_type is not None:
            out["artifactType"] = self.artifact_type
        return out


EMPTY = Descriptor(media_type=media_types.OCI_EMPTY, digest=digests.of(b"{}"), size=2, data=b"{}")
"""What stands where a descriptor is needed and there is nothing to describe (manifest.md,
"Guidance for an Empty Descriptor")."""


def parse(fields: Fields) -> Descriptor:
    """Read a descriptor out of a document."""
    fields.refuse_other_cases(_KEYS)
    size = fields.integer("size")
    if size < 0:
        raise fields.wrong("size is negative")

    descriptor = Descriptor(
        media_type=fields.text("mediaType"),
        digest=fields.digest("digest"),
        size=size,
        platform=_platform(fields.child("platform")),
        annotations=fields.text_map("annotations"),
        artifact_type=fields.text_or_none("artifactType"),
        urls=fields.texts("urls"),
        data=_data(fields),
        found=fields.values(),
    )
    data = descriptor.data
    if data is not None:
        actual = digests.of(data, algorithm=descriptor.digest.algorithm)
        if len(data) != size or actual != descriptor.digest:
            raise fields.wrong("data is not what size and digest say")

    return descriptor


def _platform(fields: Fields | None) -> Platform | None:
    if fields is None:
        return None

    return Platform.make(
        os=fields.text("os"),
        architecture=fields.text("architecture"),
        variant=fields.text_or_none("variant") or "",
        os_version=fields.text_or_none("os.version") or "",
        os_features=fields.texts("os.features"),
    )


def _data(fields: Fields) -> bytes | None:
    text = fields.text_or_none("data")
    if text is None:
        return None

    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise fields.wrong("data is not base64") from error
