"""An image of several layers, unpacked by umoci and mounted by us: the same tree."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import anyio
import pytest

from stacker.drivers.mounts import Mounts

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("umoci") is None, reason="umoci is not installed"),
]


def archives(t: Any) -> list[bytes]:
    note = {"SCHILY.xattr.user.note": "value"}
    capability = bytes.fromhex("0100000200200000000000000000000000000000")
    with_capability = {
        "SCHILY.xattr.security.capability": capability.decode("utf-8", "surrogateescape")
    }
    base = t.archive(
        t.directory("./", mode=0o755, mtime=1_600_000_000),
        t.directory("bin", mode=0o755, mtime=1_600_000_001),
        t.member("bin/su", b"setuid" * 2000, mode=0o4755, mtime=1_600_000_002),
        t.member("bin/ping", b"cap", mode=0o755, pax_headers=with_capability, mtime=5),
        t.link("bin/alias", "bin/su"),
        t.symlink("sbin", "bin", mtime=1_600_000_003),
        t.directory("etc", mode=0o750, uid=3, gid=4, pax_headers=note, mtime=1_600_000_004),
        t.member("etc/passwd", b"root", mode=0o644, pax_headers={"mtime": "1600000000.123456789"}),
        t.directory("var", mtime=6),
        t.directory("var/cache", mtime=7),
        t.member("var/cache/a", b"a", mtime=8),
        t.directory("var/cache/sub", mtime=9),
        t.member("var/cache/sub/b", b"b", mtime=10),
        t.directory("tmp", mode=0o1777, mtime=11),
        t.member("dev-null", kind=tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666, mtime=12),
        t.member("fifo", kind=tarfile.FIFOTYPE, mtime=13),
        t.member("becomes-directory", b"x", mtime=14),
        t.directory("becomes-file", mtime=15),
        t.member("becomes-file/inner", b"x", mtime=16),
    )
    middle = t.archive(
        t.directory("etc", mode=0o755, mtime=20),
        t.member("etc/.wh.passwd"),
        t.member("etc/group", b"g" * 5000, uid=4_000_000_000, mtime=21),
        t.directory("var", mtime=22),
        t.directory("var/cache", mtime=23),
        t.member("var/cache/new", b"n", mtime=24),
        t.member("var/cache/.wh..wh..opq"),
        t.directory("becomes-directory", mtime=25),
        t.member("becomes-directory/f", b"y", mtime=26),
        t.member("becomes-file", b"z", mtime=27),
        t.member("sbin/added", b"through a lower symlink", mtime=28),
    )
    top = t.archive(
        t.directory("bin", mode=0o711, mtime=30),
        t.member("bin/.wh.alias"),
        t.member("tmp/implied/deep", b"d", mtime=31),
        t.symlink("etc/link", "../var/cache", mtime=32),
        t.member(".wh.fifo"),
    )
    return [base, middle, top]


def layout(at: Path, layers: list[bytes]) -> None:
    """An OCI image layout, by hand."""

    def blob(data: bytes, media_type: str) -> dict[str, Any]:
        name = hashlib.sha256(data).hexdigest()
        (at / "blobs/sha256" / name).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{name}", "size": len(data)}

    (at / "blobs/sha256").mkdir(parents=True)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {
            "type": "layers",
            "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers],
        },
        "history": [{"created_by": "test"} for _ in layers],
    }
    kind = "application/vnd.oci.image"
    manifest = {
        "schemaVersion": 2,
        "config": blob(json.dumps(config).encode(), f"{kind}.config.v1+json"),
        "layers": [blob(gzip.compress(layer), f"{kind}.layer.v1.tar+gzip") for layer in layers],
    }
    entry = blob(json.dumps(manifest).encode(), f"{kind}.manifest.v1+json")
    entry["annotations"] = {"org.opencontainers.image.ref.name": "test"}
    (at / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (at / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def test_the_mounted_tree_is_umocis(layers: Any, tmp_path: Path) -> None:
    packed = archives(layers)
    layout(tmp_path / "layout", packed)
    subprocess.run(
        ["umoci", "unpack", "--image", f"{tmp_path / 'layout'}:test", tmp_path / "bundle"],
        check=True, capture_output=True,
    )  # fmt: skip
    stack = layers.stacked(
        *(layers.build(gzip.compress(data), compression="gzip") for data in packed)
    )

    async def compare() -> None:
        mounts = Mounts(tmp_path / "run")
        target = tmp_path / "run/rootfs"
        upper, work = tmp_path / "upper", tmp_path / "work"
        await mounts.mount_rootfs("c", stack, upper=upper, work=work, target=target)
        try:
            found = comparable(layers.snapshot(target))
            expected = comparable(layers.snapshot(tmp_path / "bundle/rootfs"))
            assert found.keys() == expected.keys()
            for path, value in expected.items():
                assert found[path] == value, path
            assert os.readlink(target / "sbin") == "bin"
        finally:
            await mounts.unmount_rootfs(target)
            await mounts.close()

    anyio.run(compare)


def comparable(tree: dict[bytes, Any]) -> dict[bytes, Any]:
    """Without what has to differ.

    The times of implied directories are whatever the unpacking left; a file that lost a name to a
    whiteout still has both in the layer below.
    """
    implied = (b"tmp", b"tmp/implied", b"bin", b"")
    return {
        path: (*value[:4], None if path in implied else value[4], None, *value[6:])
        for path, value in tree.items()
    }
