"""What refers to a manifest by its `subject`: signatures, attestations, lists of packages.

A registry answers this itself, or its clients keep an index under the fall-back tag that is made of
the digest (distribution specification 1.1, "Unavailable Referrers API").
"""

from __future__ import annotations

import json

from stacker.base.errors import NotFound
from stacker.drivers.images.registry import pages
from stacker.drivers.images.registry.repository import Repository
from stacker.oci import documents, media_types
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.index import Index
from stacker.oci.manifest import Manifest


def fallback_tag(digest: Digest) -> str:
    """The tag of the index that stands in for the registry's own answer."""
    return f"{digest.algorithm[:32]}-{digest.hex[:64]}"


async def list_referrers(
    repository: Repository, digest: Digest, *, artifact_type: str | None = None
) -> tuple[Descriptor, ...]:
    """The descriptors of what refers to a manifest, of one type if one is given."""
    found = await _from_registry(repository, digest, artifact_type)
    if found is None:
        index = await _fallback_index(repository, digest)
        found = index.manifests if index is not None else ()
    # a registry need not filter, and the fall-back tag cannot
    return tuple(entry for entry in found if artifact_type in (None, entry.artifact_type))


async def add_to_fallback(repository: Repository, subject: Digest, entry: Descriptor) -> None:
    """List a manifest under the fall-back tag; what is there already stays."""
    index = await _fallback_index(repository, subject)
    kept = index.manifests if index is not None else ()
    if all(old.digest != entry.digest for old in kept):
        await _put_fallback(repository, subject, (*kept, entry))


async def remove_from_fallback(repository: Repository, subject: Digest, digest: Digest) -> None:
    """Take a manifest that is deleted from the list under the fall-back tag."""
    index = await _fallback_index(repository, subject)
    if index is not None and any(entry.digest == digest for entry in index.manifests):
        kept = tuple(entry for entry in index.manifests if entry.digest != digest)
        await _put_fallback(repository, subject, kept)


def entry_of(manifest: Manifest | Index, *, digest: Digest) -> Descriptor:
    """The descriptor under which a manifest is listed for its subject."""
    artifact_type = manifest.artifact_type
    if artifact_type is None and isinstance(manifest, Manifest):
        artifact_type = manifest.config.media_type
    return Descriptor(
        media_type=manifest.media_type,
        digest=digest,
        size=len(manifest.raw),
        artifact_type=artifact_type,
        annotations=manifest.annotations,
    )


async def _from_registry(
    repository: Repository, digest: Digest, artifact_type: str | None
) -> list[Descriptor] | None:
    """The registry's own answer; None where it has no such list."""
    query = {"artifactType": artifact_type} if artifact_type else None
    url = await repository.connection.url(f"{repository.path}/referrers/{digest}", query)
    found: list[Descriptor] = []
    try:
        async for _, body in pages.pages(repository.connection, url):
            found += documents.parse_index(body).manifests
    except NotFound:
        return None
    return found


async def _fallback_index(repository: Repository, digest: Digest) -> Index | None:
    try:
        document = await repository.manifest(fallback_tag(digest))
    except NotFound:
        return None
    return documents.parse_index(document.data)


async def _put_fallback(
    repository: Repository, subject: Digest, entries: tuple[Descriptor, ...]
) -> None:
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [entry.to_json() for entry in entries],
    }
    data = json.dumps(document, separators=(",", ":")).encode()
    await repository.put_manifest(fallback_tag(subject), data, media_type=media_types.OCI_INDEX)
