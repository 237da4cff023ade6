"""An image of several layers, unpacked by umoci and mounted by us: the same tree."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Callable
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


RULES: dict[str, Any] = {
    "an implied directory looks as below": lambda t: [
        [t.directory("a", mode=0o1750, uid=7, gid=8, mtime=9), t.directory("a/b", mode=0o700)],
        [t.member("a/b/f", b"1", mtime=5)],
    ],
    "an implied directory over another that is implied": lambda t: [
        [t.member("a/b/f", b"1", mtime=5)], [t.member("a/b/g", b"2", mtime=5)],
    ],
    "an implied directory in place of a file": lambda t: [
        [t.member("a", b"1", mtime=5)], [t.directory("a", mtime=6), t.member("a/f", b"2", mtime=5)],
    ],
    "below a lower symlink": lambda t: [
        [t.directory("usr", mode=0o711), t.directory("usr/lib"), t.symlink("lib", "usr/lib")],
        [t.member("lib/f", b"1", mtime=5)],
    ],
    "below a lower symlink that leads out": lambda t: [
        [t.directory("usr"), t.symlink("lib", "../../usr")], [t.member("lib/f", b"1", mtime=5)],
    ],
    "below a lower symlink to the root": lambda t: [
        [t.symlink("up", "..")], [t.member("up/f", b"1", mtime=5)],
    ],
    "below a lower symlink to nothing": lambda t: [
        [t.symlink("lib", "usr/lib")], [t.member("lib/f", b"1", mtime=5)],
    ],
    "below a chain of lower symlinks": lambda t: [
        [t.directory("c"), t.symlink("a", "b"), t.symlink("b", "/c")],
        [t.member("a/f", b"1", mtime=5)],
    ],
    "a hard link into an earlier layer": lambda t: [
        [t.directory("d"), t.member("d/f", b"1" * 9000, mode=0o4755, uid=3, mtime=5)],
        [t.link("hard", "d/f")],
    ],
    "a hard link into the first of three": lambda t: [
        [t.member("f", b"1", mtime=5)], [t.member("g", b"2", mtime=5)], [t.link("hard", "f")],
    ],
    "a hard link to a lower symlink": lambda t: [
        [t.symlink("s", "nowhere")], [t.link("hard", "s")],
    ],
    "a whiteout of nothing": lambda t: [
        [t.directory("d")], [t.directory("d"), t.member("d/.wh.f")],
    ],
    "a whiteout in a directory that only this layer has": lambda t: [
        [t.directory("d")], [t.directory("e"), t.member("e/.wh.f"), t.member("e/g", b"1", mtime=5)],
    ],
    "a whiteout of a directory that comes again": lambda t: [
        [t.directory("d"), t.member("d/f", b"1")],
        [t.member(".wh.d"), t.directory("d", mode=0o700), t.member("d/g", b"2", mtime=5)],
    ],
    "an opaque directory, its marker last": lambda t: [
        [t.directory("d"), t.member("d/f", b"1"), t.directory("d/e"), t.member("d/e/g", b"1")],
        [t.directory("d"), t.member("d/h", b"2", mtime=5), t.member("d/.wh..wh..opq")],
    ],
    "a file in place of a directory, and back": lambda t: [
        [t.directory("d"), t.member("d/f", b"1")], [t.member("d", b"2", mtime=5)],
        [t.directory("d", mode=0o700)],
    ],
    "a symlink in place of a directory": lambda t: [
        [t.directory("d"), t.member("d/f", b"1"), t.directory("e")], [t.symlink("d", "e")],
        [t.member("d/g", b"2", mtime=5)],
    ],
    "dot dot behind what does not exist": lambda t: [
        [t.directory("d")], [t.member("x/../d/f", b"1", mtime=5)],
    ],
}  # fmt: skip
"""The rules of docs/layers.md for layers that stream without knowing those below them."""


@pytest.mark.parametrize("rule", RULES)
def test_the_rules_are_umocis(rule: str, layers: Any, tmp_path: Path) -> None:
    """Times of directories are left out: what an unpacking leaves depends on when it ended."""

    def without_times(tree: dict[bytes, Any]) -> dict[bytes, Any]:
        directory = stat.S_IFDIR
        return {
            path: (*value[:4], None if value[0] == directory else value[4], None, *value[6:])
            for path, value in comparable(tree).items()
            if path  # the root's own mode is what each makes of an image that does not say
        }

    compare(
        layers, tmp_path, [t_archive(layers, each) for each in RULES[rule](layers)], without_times
    )


def t_archive(layers: Any, members: list[Any]) -> bytes:
    return layers.archive(layers.directory("./"), *members)


def test_the_mounted_tree_is_umocis(layers: Any, tmp_path: Path) -> None:
    packed = archives(layers)
    compare(layers, tmp_path, packed, comparable)


def compare(layers: Any, tmp_path: Path, packed: list[bytes], told: Callable[..., Any]) -> None:
    layout(tmp_path / "layout", packed)
    subprocess.run(
        ["umoci", "unpack", "--image", f"{tmp_path / 'layout'}:test", tmp_path / "bundle"],
        check=True, capture_output=True,
    )  # fmt: skip
    stack = layers.stacked(
        *(layers.build(gzip.compress(data), compression="gzip") for data in packed)
    )

    async def check() -> None:
        mounts = Mounts(tmp_path / "run")
        target = tmp_path / "run/rootfs"
        upper, work = tmp_path / "upper", tmp_path / "work"
        await mounts.mount_rootfs("c", stack, upper=upper, work=work, target=target)
        try:
            found = told(layers.snapshot(target))
            expected = told(layers.snapshot(tmp_path / "bundle/rootfs"))
            assert found.keys() == expected.keys()
            for path, value in expected.items():
                assert found[path] == value, path
        finally:
            await mounts.unmount_rootfs(target)
            await mounts.close()

    anyio.run(check)


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
