"""Images for tests: a rich one made by umoci, and small ones made in memory."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import zstandard

from tests.registries.debian import run

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"

PACK = {
    "": lambda data: data,
    "+gzip": lambda data: gzip.compress(data, 1, mtime=0),
    "+zstd": lambda data: zstandard.compress(data, 1),
}


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Member(tarfile.TarInfo):
    """With its content; the slots of TarInfo have no place for it."""

    content = b""


def member(name: str, content: bytes = b"", **fields: object) -> Member:
    """An entry; a file, unless `type` says otherwise."""
    info = Member(name)
    info.mode, info.mtime, info.type = 0o644, 1_600_000_000, tarfile.REGTYPE
    for key, value in fields.items():
        setattr(info, key, value)
    info.size, info.content = len(content), content
    return info


def folder(name: str, mode: int = 0o755) -> Member:
    return member(name, type=tarfile.DIRTYPE, mode=mode)


def tar_of(*members: Member) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info in members:
            tar.addfile(info, io.BytesIO(info.content))
    return out.getvalue()


def rich_layers() -> tuple[bytes, ...]:
    """Four layers with what file systems have: links, xattrs, setuid, devices, whiteouts."""
    xattrs = {"SCHILY.xattr.user.colour": "blue", "mtime": "1600000000.123456789"}
    low = tar_of(
        folder("bin"), folder("etc"), folder("usr"), folder("usr/lib"), folder("tmp", 0o1777),
        member("bin/su", b"s" * 5000, mode=0o4755),
        member("bin/su-too", type=tarfile.LNKTYPE, linkname="bin/su", mode=0o4755),
        member("etc/motd", b"hello\n", uid=1000, gid=1001),
        member("etc/gone", b"to be removed"),
        member("lib", type=tarfile.SYMTYPE, linkname="usr/lib", mode=0o777),
        member("usr/lib/pipe", type=tarfile.FIFOTYPE),
        folder("usr/lib/old"), member("usr/lib/old/a", b"a"), member("usr/lib/old/b", b"b"),
        folder("var"), folder("var/data"), member("var/data/x", b"x" * 70_000),
    )  # fmt: skip
    middle = tar_of(
        folder("etc"), member("etc/.wh.gone", b""),
        member("etc/blue", b"tagged", pax_headers=xattrs),
        folder("usr"), folder("usr/lib"), folder("usr/lib/old"),
        member("usr/lib/old/.wh..wh..opq", b""), member("usr/lib/old/c", b"c"),
    )  # fmt: skip
    high = tar_of(
        folder("var"), member("var/.wh.data", b""),
        folder("etc"), member("etc/motd", b"replaced\n", mode=0o600),
        member("etc/\N{SNOWMAN}" + "n" * 150, b"a long name"),
    )  # fmt: skip
    top = tar_of(member("large", bytes(range(256)) * 8192), member("empty", b""))
    return low, middle, high, top


def dependent_layers() -> tuple[bytes, ...]:
    """Layers that say little: folders not listed, and a hard link into the layer below."""
    low = tar_of(
        folder("opt", 0o750), folder("opt/app", 0o711),
        member("opt/app/one", b"1" * 6000, mode=0o4755, uid=7),
    )  # fmt: skip
    high = tar_of(
        member("opt/app/two", b"2"),
        member("opt/app/again", type=tarfile.LNKTYPE, linkname="opt/app/one"),
    )
    return low, high


def umoci_layout(where: Path, layers: tuple[bytes, ...], *, tag: str = "t") -> Path:
    """An OCI layout made by umoci out of layers; the image is `where:tag`."""
    run("umoci", "init", "--layout", str(where))
    run("umoci", "new", "--image", f"{where}:{tag}")
    for number, layer in enumerate(layers):
        file = where.with_name(f"{where.name}-{number}.tar")
        file.write_bytes(layer)
        run("umoci", "raw", "add-layer", "--image", f"{where}:{tag}", str(file))
    run(
        "umoci", "config", "--image", f"{where}:{tag}", "--config.cmd", "/bin/su",
        "--config.env", "COLOUR=blue", "--config.exposedports", "80/tcp",
        "--config.workingdir", "/var", "--config.label", "made.by=umoci",
    )  # fmt: skip
    return where


@dataclass(slots=True)
class TinyImage:
    """An image in memory: blobs by digest, and the manifest's bytes."""

    layers: tuple[bytes, ...] = ()
    packing: str = "+gzip"
    config: Mapping[str, object] = field(default_factory=dict)
    platform: tuple[str, str] = ("linux", "amd64")
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifest: bytes = b""

    def __post_init__(self) -> None:
        os_name, architecture = self.platform
        [digest_of(layer) for layer in self.layers]
        config = json.dumps(
            {
                "os": os_name,
                "architecture": architecture,
                "config": dict(self.config),
                "rootfs": {
                    "type": "layers",
                    "diff_ids": [digest_of(layer) for layer in self.layers],
                },
            }
        ).encode()
        packed = [PACK[self.packing](layer) for layer in self.layers]
        self.manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": self._entry(CONFIG, config),
                "layers": [self._entry(LAYER + self.packing, layer) for layer in packed],
            }
        ).encode()

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)

    @property
    def layer_digests(self) -> list[str]:
        return [layer["digest"] for layer in json.loads(self.manifest)["layers"]]

    def _entry(self, media_type: str, data: bytes) -> dict[str, object]:
        self.blobs[digest_of(data)] = data
        return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}
