"""Writing images out: into an OCI layout, as a tar of one, or as what `docker load` reads.

The same images give the same bytes: files in a fixed order, without times. Blobs go out as they
came in; only a docker archive has its layers unpacked, as `docker save` has them.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import AsyncIterator, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from stacker.base import canonical_json, ids
from stacker.base.atomic import sweep_unfinished, sync_directory, unfinished, write_atomic
from stacker.base.errors import Corrupt, Invalid
from stacker.drivers.images import archives, catalog
from stacker.drivers.images.layer_decompress import DECOMPRESSORS
from stacker.drivers.images.steps import on_disk
from stacker.drivers.images.store import Store
from stacker.drivers.images.workshop import Workshop
from stacker.oci import descriptor, documents, image_config, media_types, tar
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.fields import DOCUMENT_LIMIT, load_object
from stacker.oci.index import ENTRY_LIMIT
from stacker.oci.reference import Reference
from stacker.oci.tar import writer

PIECE = 1 << 20
_COPIED_BY_HAND = (errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)
"""copy_file_range(2) of a kernel, or between two file systems, that has no way of its own."""
FORMS = ("oci", "docker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file of an archive: bytes at hand, or those of a file."""

    name: str
    source: bytes | Path

    @property
    def size(self) -> int:
        return len(self.source) if isinstance(self.source, bytes) else self.source.stat().st_size


async def archive(
    workshop: Workshop, entries: Sequence[Descriptor], *, form: str
) -> AsyncIterator[bytes]:
    """Yield the tar, piece by piece."""
    if form not in FORMS:
        raise Invalid(f"{form[:40]!r} is no form of an archive: oci or docker")

    store = workshop.store
    scratch = store.places.partial / f"save-{ids.new_id()[:12]}"
    try:
        if form == "oci":
            members = await workshop.in_thread(_layout, store, entries)
        else:
            members = await workshop.in_thread(_docker, store, entries, scratch)
        with on_disk("save"):
            sizes = [each.size for each in members]
        for folder in sorted({part for each in members for part in _parents(each.name)}):
            yield writer.header(_entry(folder, tar.Kind.DIRECTORY, 0))
        for each, size in zip(members, sizes, strict=True):
            yield writer.header(_entry(each.name, tar.Kind.FILE, size))
            async for piece in _content(workshop, each, size):
                yield piece
            yield writer.padding(size)
        yield writer.END
    finally:
        await workshop.clean_up(_remove, scratch)


def write_layout(store: Store, entries: Sequence[Descriptor], folder: Path) -> None:
    """Add images to a layout on disk; its other references stay. Blocks.

    What has been written when it returns survives a power cut; one that is cut off, and tried
    again, goes on where it was.
    """
    with on_disk("write layout"):
        folder.mkdir(exist_ok=True)
        with _alone(folder):
            marker = folder / "oci-layout"
            if marker.exists():
                load_object(marker.read_bytes(), what="oci-layout").text("imageLayoutVersion")
            elif any(folder.iterdir()):
                raise Invalid(f"{folder} is neither empty nor an OCI layout")
            else:
                write_atomic(marker, catalog.LAYOUT_VERSION)

            _copy_all(store, _blobs(store, entries), folder / "blobs")
            kept = _others(folder / "index.json", entries)
            write_atomic(folder / "index.json", _index([*kept, *map(_outward, entries)]))


def _layout(store: Store, entries: Sequence[Descriptor]) -> list[Member]:
    blobs = [
        Member(name=f"blobs/{digest.algorithm}/{digest.hex}", source=store.places.blob(digest))
        for digest in sorted(_blobs(store, entries))
    ]
    return [
        Member(name="oci-layout", source=catalog.LAYOUT_VERSION),
        Member(name="index.json", source=_index(map(_outward, entries))),
        *blobs,
    ]


def _docker(store: Store, entries: Sequence[Descriptor], scratch: Path) -> list[Member]:
    """Configs, the plain tars of their layers, and manifest.json, which names both."""
    with on_disk("unpack layers"):
        scratch.mkdir(mode=0o700)
    members: dict[str, Member] = {}
    listed: dict[str, tuple[list[str], list[str]]] = {}
    for entry in entries:
        manifest = documents.parse_manifest(store.read_document(entry), expected=entry.media_type)
        data = store.read_document(manifest.config)
        config = f"{manifest.config.digest.hex}.json"
        members[config] = Member(name=config, source=data)
        layers: list[str] = []
        for layer, diff_id in zip(manifest.layers, image_config.parse(data).diff_ids, strict=True):
            name = f"{diff_id.hex}.tar"
            layers.append(name)
            if name not in members:
                path = _plain(store, layer, diff_id, scratch / diff_id.hex)
                members[name] = Member(name=name, source=path)
        tags, _ = listed.setdefault(config, ([], layers))
        if (name := _tag_of(entry)) is not None:
            tags.append(name)
    document = [
        {"Config": config, "RepoTags": tags, "Layers": layers}
        for config, (tags, layers) in listed.items()
    ]
    manifest = Member(name="manifest.json", source=canonical_json.dumps(document))
    return [*members.values(), manifest]


def _plain(store: Store, layer: Descriptor, diff_id: Digest, target: Path) -> Path:
    """Unpack a layer's blob into a file, and see that it is what the config says."""
    compression = media_types.compression_of(layer.media_type)
    source = store.places.blob(layer.digest)
    if compression == "none":
        return source

    hasher = diff_id.hasher()
    with on_disk("unpack layer"), source.open("rb") as packed, target.open("xb") as out:

        def take(piece: bytes) -> None:
            hasher.update(piece)
            out.write(piece)

        unpacker = DECOMPRESSORS[compression](take)
        while piece := packed.read(PIECE):
            unpacker.feed(piece)
        unpacker.finish()
    if hasher.hexdigest() != diff_id.hex:
        raise Corrupt(f"layer {layer.digest} in the store is damaged")

    return target


def _blobs(store: Store, entries: Iterable[Descriptor]) -> set[Digest]:
    found: set[Digest] = set()
    for entry in entries:
        manifest = documents.parse_manifest(store.read_document(entry), expected=entry.media_type)
        found |= {entry.digest, manifest.config.digest, *(each.digest for each in manifest.layers)}
    return found


def _outward(entry: Descriptor) -> Descriptor:
    """An entry as others read it: with containerd's name as well, without our own notes."""
    name = catalog.name_of(entry)
    names = {catalog.REF_NAME: name, archives.CONTAINERD_NAME: name} if _tag_of(entry) else {}
    return replace(entry, annotations=names)


def _tag_of(entry: Descriptor) -> str | None:
    """The full name, which no reader completes otherwise; None where it has only a digest."""
    name = catalog.name_of(entry)
    reference = Reference.parse(name) if name else None
    return None if reference is None or reference.tag is None else name


def _index(entries: Iterable[Descriptor]) -> bytes:
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [entry.to_json() for entry in entries],
    }
    return json.dumps(document, indent=1).encode()


def _others(index: Path, entries: Sequence[Descriptor]) -> list[Descriptor]:
    """What the layout has already, but for the names that are written now."""
    if not index.exists():
        return []

    fresh = [_outward(entry) for entry in entries]
    names = {catalog.name_of(entry) for entry in fresh if catalog.name_of(entry)}
    digests = {entry.digest for entry in fresh}
    fields = load_object(index.read_bytes(), what="index.json", limit=DOCUMENT_LIMIT)
    old = map(descriptor.parse, fields.children("manifests", limit=ENTRY_LIMIT))
    return [
        entry
        for entry in old
        if catalog.name_of(entry) not in names
        and (catalog.name_of(entry) or entry.digest not in digests)
    ]


def _copy_all(store: Store, digests: Iterable[Digest], blobs: Path) -> None:
    """Have blobs in a layout, on the disk before anything names them."""
    folders = {digest: blobs / digest.algorithm for digest in digests}
    for folder in set(folders.values()):
        folder.mkdir(parents=True, exist_ok=True)
    sweep_unfinished(folders.values())
    for digest, folder in folders.items():
        _copy(store.places.blob(digest), folder / digest.hex)
    for folder in {blobs, *folders.values()}:
        sync_directory(folder)


def _copy(source: Path, target: Path) -> None:
    """Put a blob in place, whole or not at all; its blocks are shared where they can be."""
    if target.exists() and target.stat().st_size == source.stat().st_size:
        return

    fresh = unfinished(target)
    try:
        with source.open("rb") as inward, fresh.open("xb") as outward:
            try:
                while os.copy_file_range(inward.fileno(), outward.fileno(), 1 << 30):
                    pass
            except OSError as error:
                if error.errno not in _COPIED_BY_HAND:
                    raise
                shutil.copyfileobj(inward, outward, PIECE)
                outward.flush()
            os.fsync(outward.fileno())
        fresh.rename(target)
    finally:
        fresh.unlink(missing_ok=True)


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Two saves into one layout come one after the other."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


async def _content(workshop: Workshop, member: Member, size: int) -> AsyncIterator[bytes]:
    if isinstance(member.source, bytes):
        yield member.source
        return

    with on_disk("read blob"):
        stream = member.source.open("rb", buffering=0)
    try:
        while size:
            with on_disk("read blob"):
                piece = await workshop.in_thread(stream.read, min(PIECE, size))
            if not piece:
                raise Corrupt(f"{member.name} ends too early")
            size -= len(piece)
            yield piece
    finally:
        stream.close()


def _entry(name: str, kind: tar.Kind, size: int) -> tar.Entry:
    mode = 0o755 if kind is tar.Kind.DIRECTORY else 0o644
    return tar.Entry(name=name.encode(), kind=kind, mode=mode, uid=0, gid=0, size=size, mtime_ns=0)


def _parents(name: str) -> Iterator[str]:
    parts = name.split("/")[:-1]
    for length in range(1, len(parts) + 1):
        yield "/".join(parts[:length])


def _remove(folder: Path) -> None:
    if folder.exists():
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
