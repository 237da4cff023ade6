"""What is asked of images, and what is answered: everything but the list of them."""

from __future__ import annotations

from stacker.wire.message import Json, Message
from stacker.wire.requests import DeclarationBody

# queries


class ImageQuery(Message):
    reference: str
    """A name, a digest, or the beginning of an id."""


class ArchiveQuery(Message):
    reference: tuple[str, ...]
    form: str = "oci"
    """``oci``: a layout as a tar; ``docker``: what ``docker load`` reads."""


# requests


class MakingBody(Message):
    """How an image that is made here is to be."""

    reference: str
    changes: tuple[str, ...] = ()
    """Instructions as in a Dockerfile: ``CMD ["sh"]``, ``ENV A=b``."""
    message: str = ""
    author: str = ""
    compression: str = "gzip"
    """``gzip``, ``zstd`` or ``none``"""
    epoch: int | None = None
    """SOURCE_DATE_EPOCH: when it was made, and the latest time that a file may have."""


class BuildRequest(Message):
    source: str
    """Absolute: a directory, or a root file system's tar."""
    making: MakingBody
    platform: str | None = None
    owner: tuple[int, ...] = ()
    """The user and group of all files; empty: those that they have."""


class CommitRequest(Message):
    container: str
    making: MakingBody
    stack: str | None = None
    pause: bool = True
    """Its processes do not run meanwhile."""


class MountRequest(Message):
    reference: str


class UnmountRequest(Message):
    image: str
    """A name, a digest, an id, or the path where it is mounted."""


class TagRequest(Message):
    source: str
    target: str


class RemoveRequest(Message):
    references: tuple[str, ...]
    force: bool = False
    """Also take names away that a container was started by."""


class VerifyRequest(Message):
    references: tuple[str, ...] = ()
    """Empty: all images."""
    repair: bool = False
    """Drop what is damaged and can be had again, and have it again."""


class CompleteRequest(Message):
    references: tuple[str, ...]


class LayoutRequest(Message):
    references: tuple[str, ...]
    path: str
    """Absolute: a folder that is an OCI layout, is empty, or is not there."""


class PullImagesRequest(Message):
    references: tuple[str, ...]
    platform: str | None = None
    """``os/architecture[/variant]``; None: the host's."""
    policy: str = "always"


class PushRequest(Message):
    reference: str
    """What the image is called here."""
    target: str | None = None
    """What it is to be called there; None: the same."""


class CopyRequest(Message):
    source: str
    target: str
    platform: str | None = None
    """Only this one of an index; None: all of it."""
    with_referrers: bool = False
    """Signatures and the like too."""


class LockRequest(Message):
    declaration: DeclarationBody
    offline: bool = False
    """What is here, and no registry asked."""


class OutdatedRequest(Message):
    declaration: DeclarationBody | None = None
    """None: all images that are here."""


# answers


class SentImage(Message):
    reference: str
    digest: str
    blobs_sent: int = 0
    blobs_mounted: int = 0
    """That the registry had in another repository."""
    blobs_present: int = 0
    bytes_sent: int = 0


class LockReply(Message):
    path: str
    """Where the lock file of the stack lies."""
    images: dict[str, str]
    """Full names of images → digests."""


class FreshnessRow(Message):
    reference: str
    state: str
    """``current``, ``outdated``, ``missing``, ``local``, ``pinned`` or ``unknown``"""
    here: str | None = None
    latest: str | None = None
    note: str = ""
    """Why it is unknown."""


class Outdated(Message):
    images: tuple[FreshnessRow, ...] = ()


class DescriptorRow(Message):
    media_type: str
    digest: str
    size_bytes: int


class LayerRow(Message):
    blob: DescriptorRow
    diff_id: str
    chain_id: str
    unpacked_bytes: int
    """Of what is mounted."""


class ImageInspection(Message):
    id: str
    names: tuple[str, ...]
    platform: str
    entry: DescriptorRow
    """The manifest."""
    source_digest: str | None = None
    """What the name stood for at the registry: an index's digest, or the manifest's."""
    size_bytes: int = 0
    created: str | None = None
    layers: tuple[LayerRow, ...] = ()
    annotations: dict[str, str]
    """Of its containers: what is passed on of the config's fields and labels."""
    labels_left_out: tuple[str, ...] = ()
    """That are not passed on: nothing defines what they would do to a runtime."""
    manifest: Json
    """The document, with whatever fields it has."""
    config: Json
    """The document, with whatever fields it has."""


class HistoryRow(Message):
    created: str | None = None
    created_by: str = ""
    author: str = ""
    comment: str = ""
    layer: str | None = None
    """The digest of its blob; None: it made no layer."""
    size_bytes: int = 0
    """Of the blob."""


class History(Message):
    rows: tuple[HistoryRow, ...] = ()
    """Oldest first."""


class Removed(Message):
    names: tuple[str, ...] = ()
    """That were taken away."""
    files: int = 0
    """That nothing needed any more."""
    size_bytes: int = 0


class MountedImages(Message):
    paths: tuple[str, ...] = ()


class VerifiedRow(Message):
    reference: str
    size_bytes: int
    """That were read."""
    damages: tuple[str, ...] = ()
    repaired: tuple[str, ...] = ()
    """Damages that are no more."""
    dropped: tuple[str, ...] = ()
    """Blobs that are not here, which containers do not need and a registry has."""
    not_compared: tuple[str, ...] = ()
    """Of these, those whose layers could not be compared with anything."""


class VerifiedImages(Message):
    images: tuple[VerifiedRow, ...] = ()
