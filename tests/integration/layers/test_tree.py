"""A layer, mounted, is what tar unpacks: random trees against a model, a real tree against tar."""

from __future__ import annotations

import os
import shutil
import stat
import struct
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stacker.drivers.images.unpacked import discard
from stacker.oci.image import LayerFormat
from tests.integration.layers.conftest import EXAMPLES

pytestmark = pytest.mark.root

NAMES = st.binary(min_size=1, max_size=12).filter(
    lambda name: (
        b"/" not in name
        and b"\0" not in name
        and name not in (b".", b"..")
        and not name.startswith(b".wh.")
    )
)
# ext4, where directories may lie, ends in 2446
TIMES = st.integers(min_value=-(2**31), max_value=15_000_000_000 * 10**9)
IDS = st.integers(min_value=0, max_value=2**32 - 2)
CONTENT = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([0, 1, 2047, 2048, 2049, 4095, 4096, 4097, 6144, 6145, 12288, 70_000]).map(
        lambda size: bytes(i * 7 & 0xFF for i in range(size))
    ),
)
KINDS = {
    "file": (stat.S_IFREG, tarfile.REGTYPE),
    "symlink": (stat.S_IFLNK, tarfile.SYMTYPE),
    "fifo": (stat.S_IFIFO, tarfile.FIFOTYPE),
    "char": (stat.S_IFCHR, tarfile.CHRTYPE),
    "block": (stat.S_IFBLK, tarfile.BLKTYPE),
}
ATTRIBUTES = st.tuples(st.integers(0, 0o7777), IDS, IDS, TIMES)
XATTRS = st.dictionaries(
    st.sampled_from(["user.a", "user.longer-name", "user.z"]), st.binary(max_size=50), max_size=3
)
LEAVES = st.tuples(
    st.sampled_from(sorted(KINDS)), ATTRIBUTES, XATTRS, CONTENT, st.integers(1, 4095)
)
TREES = st.recursive(
    LEAVES,
    lambda children: st.tuples(
        st.just("dir"), ATTRIBUTES, XATTRS, st.dictionaries(NAMES, children, max_size=8)
    ),
    max_leaves=30,
)
ROOTS = st.tuples(
    st.just("dir"), ATTRIBUTES, st.just({}), st.dictionaries(NAMES, TREES, max_size=8)
)


def pax(mtime_ns: int, xattrs: dict[str, bytes]) -> dict[str, str]:
    seconds, rest = divmod(abs(mtime_ns), 10**9)
    headers = {"mtime": f"{'-' if mtime_ns < 0 else ''}{seconds}.{rest:09d}"}
    for name, value in xattrs.items():
        headers[f"SCHILY.xattr.{name}"] = value.decode("utf-8", "surrogateescape")
    return headers


def flatten(
    layers: Any, tree: Any, path: bytes, members: list[Any], model: dict[bytes, Any]
) -> None:
    kind, (mode, uid, gid, mtime), xattrs, content, *rest = tree
    fields: dict[str, Any] = {"uid": uid, "gid": gid, "pax_headers": pax(mtime, xattrs)}
    if kind == "dir":
        members.append(layers.directory(path or b"./", mode=mode, **fields))
        model[path] = (stat.S_IFDIR, mode, uid, gid, mtime, None, path, xattrs, None)
        for name, child in content.items():
            flatten(layers, child, path + b"/" + name if path else name, members, model)
        return
    format, type_ = KINDS[kind]
    fields |= {"kind": type_, "mode": mode}
    shown: Any = None
    if kind == "file":
        members.append(layers.member(path, content, **{**fields, "kind": None}))
        members[-1].mode = mode
        shown = content
    elif kind == "symlink":
        shown = content[:4000].replace(b"\0", b"x") or b"target"
        fields["linkname"] = shown.decode("utf-8", "surrogateescape")
        members.append(layers.member(path, **fields))
    else:
        if kind != "fifo":
            fields |= {"devmajor": rest[0], "devminor": rest[0]}
            shown = os.makedev(rest[0], rest[0])
        members.append(layers.member(path, **fields))
    model[path] = (
        format, None if kind == "symlink" else mode, uid, gid, mtime, 1, path, xattrs, shown,
    )  # fmt: skip


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(ROOTS, st.integers(1, 5000))
def test_random_trees_equal_their_model(layers: Any, tree: Any, step: int) -> None:
    members: list[Any] = []
    model: dict[bytes, Any] = {}
    flatten(layers, tree, b"", members, model)
    result = layers.build(layers.archive(*members), step=step)
    try:
        assert result.entries == len(members)
        assert not result.implied
        with layers.mounted(result.path) as root:
            found = layers.snapshot(root)
            # user.* cannot be read from what is neither file nor directory (xattr(7))
            for path, seen in model.items():
                if seen[0] not in (stat.S_IFREG, stat.S_IFDIR):
                    model[path] = (*seen[:7], {}, seen[8])
            assert found == model
    finally:
        discard(result.path)


def test_a_real_tree_equals_what_tar_unpacks(layers: Any, tmp_path: Path) -> None:
    """A root file system of busybox with one of everything odd, packed and unpacked by GNU tar."""
    source = tmp_path / "source"
    make_tree(source)
    packed = tmp_path / "root.tar"
    subprocess.run(
        ["tar", "--xattrs", "--xattrs-include=*", "--format=pax", "--sparse", "-cf", packed,
         "-C", source, "."], check=True,
    )  # fmt: skip
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    subprocess.run(
        ["tar", "--xattrs", "--xattrs-include=*", "--same-owner", "-xpf", packed, "-C", unpacked],
        check=True,
    )
    result = layers.build(packed.read_bytes())
    with layers.mounted(result.path) as root:
        found, expected = layers.snapshot(root), layers.snapshot(unpacked)
        assert found.keys() == expected.keys()
        assert found == expected


KINDS_OF_DUMP = {
    "regular file": stat.S_IFREG, "directory": stat.S_IFDIR, "char dev": stat.S_IFCHR,
    "block dev": stat.S_IFBLK, "FIFO file": stat.S_IFIFO, "symlink file": stat.S_IFLNK,
}  # fmt: skip


@pytest.mark.skipif(shutil.which("dump.erofs") is None, reason="dump.erofs is not installed")
def test_dump_erofs_counts_what_is_there(layers: Any, tmp_path: Path) -> None:
    """Another reader of the format: the superblock's counts, and every inode's kind and size."""
    if layers.format is LayerFormat.DIRECTORY:
        pytest.skip("no image")
    make_tree(tmp_path)
    packed = subprocess.run(
        ["tar", "--format=pax", "-cf", "-", "-C", tmp_path, "."], check=True, capture_output=True
    ).stdout
    image = layers.build(packed).path
    with layers.mounted(image) as root:
        found = layers.snapshot(root)
    inodes = {value[6]: value for value in found.values()}  # hard links once
    said = dict(
        line.split(":", 1)
        for option in ("-s", "-S")
        for line in subprocess.run(
            ["dump.erofs", option, image], check=True, capture_output=True, text=True
        ).stdout.splitlines()
        if ":" in line
    )
    assert int(said["Filesystem inode count"]) == len(inodes)
    for name, kind in KINDS_OF_DUMP.items():
        # it counts names
        expected = sum(value[0] == kind for value in found.values())
        assert int(said[f"Filesystem {name} count"]) == expected, name
    assert int(said["Filesystem blocks"]) * 4096 == image.stat().st_size


def make_tree(root: Path) -> None:
    for name in ("bin", "etc/deep/er", "dev", "tmp", "var/many", "empty"):
        (root / name).mkdir(parents=True)
    busybox = shutil.which("busybox")
    assert busybox is not None
    shutil.copy(busybox, root / "bin/busybox")
    for applet in ("sh", "ls", "cat"):
        os.link(root / "bin/busybox", root / "bin" / applet)
    (root / "bin/absolute").symlink_to("/bin/sh")
    (root / "bin/dangling").symlink_to("../nowhere")
    (root / "etc/deep/er/file").write_bytes(b"deep")
    os.mknod(root / "dev/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    os.mknod(root / "dev/disk", 0o660 | stat.S_IFBLK, os.makedev(259, 70_000))
    os.mkfifo(root / "dev/fifo")
    os.chmod(root / "tmp", 0o1777)
    (root / "etc/setuid").write_bytes(b"s")
    os.chown(root / "etc/setuid", 1000, 3_000_000_000)
    os.chmod(root / "etc/setuid", 0o6755)
    capability = bytes.fromhex("0100000200200000000000000000000000000000")
    os.setxattr(root / "bin/ls", "security.capability", capability)
    os.setxattr(root / "etc/deep", "user.note", b"n\0te")
    parts = ((1, 6, -1), (2, 4, 1000), (4, 4, -1), (16, 4, -1), (32, 4, -1))
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *part) for part in parts)
    os.setxattr(root / "etc/setuid", "system.posix_acl_access", acl)
    os.setxattr(root / "etc/deep", "system.posix_acl_default", acl)
    for number in range(2000):
        (root / f"var/many/a name that is long enough to fill blocks {number}").touch()
    (root / os.fsdecode(b"var/\xff\xfe\x01 \n")).write_bytes(b"odd name")
    (root / ("n" * 255)).write_bytes(b"long name")
    with open(root / "var/sparse", "wb") as file:
        file.seek(1 << 20)
        file.write(b"in the middle")
        file.seek(3 << 20)
        file.write(b"end")
        file.truncate((3 << 20) + 100_000)
    for size in (2048, 2049, 4096, 100_000):
        (root / f"var/{size}").write_bytes(os.urandom(size))
    os.utime(root / "etc", ns=(0, 1_234_567_890_123_456_789))


SPARSE = {
    "old gnu": ["--format=gnu"],
    "pax 0.0": ["--format=pax", "--sparse-version=0.0"],
    "pax 0.1": ["--format=pax", "--sparse-version=0.1"],
    "pax 1.0": ["--format=pax", "--sparse-version=1.0"],
}


@pytest.mark.parametrize("options", SPARSE.values(), ids=SPARSE)
def test_sparse_files_of_gnu_tar(layers: Any, tmp_path: Path, options: list[str]) -> None:
    with open(tmp_path / "sparse", "wb") as file:
        for part in range(60):  # more than one extension block of the old format
            file.seek(part * 65536 + 4096)
            file.write(b"%d" % part * 1000)
        file.truncate(5_000_000)
    (tmp_path / "after").write_bytes(b"what follows")
    packed = subprocess.run(
        ["tar", "--sparse", *options, "-cf", "-", "-C", tmp_path, "sparse", "after"],
        check=True, capture_output=True,
    ).stdout  # fmt: skip
    assert len(packed) < 600_000, "the archive is sparse"
    for step in (1 << 20, 700):
        result = layers.build(packed, step=step)
        with layers.mounted(result.path) as root:
            assert (root / "sparse").read_bytes() == (tmp_path / "sparse").read_bytes()
            assert (root / "after").read_bytes() == b"what follows"
        # holes of the archive are holes of the image
        stored = result.path / "sparse" if result.path.is_dir() else result.path
        assert stored.stat().st_blocks * 512 < 1_000_000


def test_a_file_over_four_gibibytes(layers: Any, tmp_path: Path) -> None:
    with open(tmp_path / "huge", "wb") as file:
        file.write(b"start")
        file.seek(5 << 30)
        file.write(b"end")
    packed = subprocess.run(
        ["tar", "--sparse", "--format=pax", "-cf", "-", "-C", tmp_path, "huge"],
        check=True, capture_output=True,
    ).stdout  # fmt: skip
    # erofs-utils 1.5 crashes when it is to read a file of this size
    result = layers.build(packed, extract=False)
    with layers.mounted(result.path) as root, open(root / "huge", "rb") as file:
        assert os.fstat(file.fileno()).st_size == (5 << 30) + 3
        assert file.read(6) == b"start\0"
        file.seek(5 << 30)
        assert file.read() == b"end"
