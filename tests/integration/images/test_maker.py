"""Images made here: of trees and tars, the same bytes each time, and read by everybody."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stacker.base.errors import Corrupt, Invalid
from stacker.drivers.images.images import Images
from stacker.oci.derive import Making
from stacker.oci.image import Image
from stacker.oci.tree import TreeOptions
from tests.integration.images.conftest import OpenImages
from tests.registries.debian import run
from tests.registries.made import folder, member, rich_layers, tar_of
from tests.registries.podman import podman
from tests.registries.trees import tree_of

pytestmark = pytest.mark.root

NAME = "example.com/made:1"
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EPOCH_NS = 1_500_000_000 * 10**9


def making(*changes: str) -> Making:
    return Making(created=WHEN, created_by="test", changes=changes)


async def build(images: Images, source: Path, *changes: str, **options: object) -> Image:
    compression = str(options.pop("compression", "gzip"))
    return await images.maker.build(
        source,
        reference=NAME,
        making=making(*changes),
        compression=compression,
        options=TreeOptions(**options),  # type: ignore[arg-type]
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What file systems have, as GNU tar unpacks it."""
    made = tmp_path / "tree"
    made.mkdir()
    low, *_ = rich_layers()
    run("tar", "-x", "-C", str(made), "--xattrs", "--xattrs-include=*", "--same-owner", data=low)
    os.mknod(made / "null", 0o20666, os.makedev(1, 3))
    os.setxattr(made / "etc/motd", "user.colour", b"blue")
    os.setxattr(
        made / "bin/su", "security.capability", bytes.fromhex("0100000200040000" + "00" * 12)
    )
    os.utime(made / "etc/motd", ns=(0, 1_600_000_000_123_456_789))
    (made / os.fsdecode(b"raw\xff\xfe")).write_bytes(b"any bytes")
    (made / ("long" * 40)).write_bytes(b"z" * 100_000)
    os.chmod(made, 0o751)
    return made


def unpacked_by_umoci(root: Path, target: Path) -> dict[bytes, object]:
    run("umoci", "raw", "unpack", "--image", f"{root}/images:{NAME}", str(target))
    return tree_of(target)


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
async def test_a_tree_comes_back_entry_by_entry(
    images: Images, tree: Path, root: Path, tmp_path: Path, compression: str
) -> None:
    expected = tree_of(tree)
    made = await build(images, tree, 'CMD ["/bin/su"]', compression=compression)
    assert made.config.cmd == ("/bin/su",)
    assert (await images.shelf.verify(NAME)).damages == ()
    if compression == "zstd":  # Debian's umoci is older than that
        run("skopeo", "copy", "-q", "--dest-decompress", f"oci:{root}/images:{NAME}",
            f"dir:{tmp_path}/plain")  # fmt: skip
        return
    assert unpacked_by_umoci(root, tmp_path / "umoci") == expected


async def test_the_same_tree_gives_the_same_bytes(
    open_images: OpenImages, tree: Path, tmp_path: Path
) -> None:
    first = await build(open_images(), tree, latest_ns=EPOCH_NS, owner=(0, 0))
    copy = tmp_path / "copy"  # other inodes, other times
    run("cp", "-a", str(tree), str(copy))
    run("find", str(copy), "-exec", "touch", "-h", "-d", "2024-01-01", "{}", "+")
    elsewhere = Images(tmp_path / "elsewhere", auth_files=())
    second = await build(elsewhere, copy, latest_ns=EPOCH_NS, owner=(0, 0))
    assert second.manifest_digest == first.manifest_digest


async def test_an_archive_is_written_anew(images: Images, tmp_path: Path) -> None:
    """Two archives of one tree, with other headers, compression and padding, are one image."""
    members = (folder("bin"), member("bin/sh", b"#!" * 400, mode=0o755, mtime=1_600_000_000))
    digests: set[str] = set()
    for number, (form, mode) in enumerate(
        ((tarfile.GNU_FORMAT, "w"), (tarfile.PAX_FORMAT, "w:gz"), (tarfile.USTAR_FORMAT, "w"))
    ):
        source = tmp_path / f"{number}.tar"
        with tarfile.open(source, mode, format=form) as out:  # type: ignore[call-overload]
            for info in members:
                out.addfile(info, io.BytesIO(info.content))
        digests.add((await build(images, source, latest_ns=EPOCH_NS)).manifest_digest)
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("form", "transport"), [("docker", "docker-archive"), ("oci", "oci-archive")]
)
async def test_built_images_run_under_podman(
    form: str, transport: str, images: Images, busybox: Path, tmp_path: Path
) -> None:
    await build(images, busybox, 'ENTRYPOINT ["/bin/sh", "-c"]', "ENV WORD='two words'")
    saved = tmp_path / "saved.tar"
    saved.write_bytes(b"".join([piece async for piece in images.shelf.archive([NAME], form)]))
    run("skopeo", "copy", "-q", f"{transport}:{saved}", f"dir:{tmp_path}/checked")
    with podman() as other:
        other("load", "-q", "-i", str(saved))
        assert other.run(NAME, 'echo "$WORD $(id -u)"') == "two words 0\n"


@pytest.fixture
def busybox(tmp_path: Path) -> Path:
    """A root file system that runs."""
    made = tmp_path / "busybox"
    (made / "bin").mkdir(parents=True)
    shutil.copy2("/bin/busybox", made / "bin/busybox")
    for name in ("sh", "id", "echo", "cat"):
        (made / "bin" / name).symlink_to("busybox")
    return made


async def test_what_a_layer_cannot_hold(images: Images, tmp_path: Path) -> None:
    source = tmp_path / "odd"
    source.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(source / "socket"))
        assert len((await build(images, source)).layers) == 1  # left out, as by tar
    (source / ".wh.trick").touch()
    with pytest.raises(Invalid, match="a layer cannot hold a file of this name"):
        await build(images, source)


@pytest.mark.parametrize("compression", ["xz", ""])
async def test_wrong_wishes(images: Images, tmp_path: Path, compression: str) -> None:
    with pytest.raises(Invalid, match="is no compression"):
        await build(images, tmp_path, compression=compression)
    with pytest.raises(Invalid, match="'RUN' cannot change an image"):
        await build(images, tmp_path / "root", "RUN x")
    broken = tmp_path / "broken.tar"
    broken.write_bytes(tar_of(member("a", b"x" * 5000))[:3000])
    with pytest.raises(Corrupt, match="cut short"):
        await build(images, broken)
    assert not await images.list()
    broken.write_bytes(b"")  # what made the tar has failed
    with pytest.raises(Corrupt, match="empty"):
        await build(images, broken)


async def test_nothing_is_left_of_a_failure(
    images: Images, tmp_path: Path, root: Path, final_names: Callable[[], set[str]]
) -> None:
    broken = tmp_path / "broken.tar"
    broken.write_bytes(b"no archive" * 100)
    with pytest.raises(Corrupt):
        await build(images, broken)
    assert final_names() == set()
    assert os.listdir(root / "partial") == []


async def test_a_base_keeps_what_it_says(images: Images, tmp_path: Path) -> None:
    """A commit changes what it is told to; unknown fields of the base's config stay."""
    base = await build(images, tmp_path / "root", "ENV A=1", 'CMD ["x"]', "LABEL l=1")
    upper = tmp_path / "upper"
    upper.mkdir()
    (upper / "new").write_text("n")
    os.mknod(upper / "gone", 0o20000, 0)
    (upper / "whole").mkdir()
    os.setxattr(upper / "whole", "trusted.overlay.opaque", b"y")
    os.setxattr(upper / "new", "trusted.overlay.origin", b"secret")
    (upper / "proc").mkdir()
    made = await images.maker.commit(
        upper,
        base_id=base.id,
        reference="example.com/committed:1",
        making=making("ENV B=2"),
        compression="none",
        options=TreeOptions(mount_points={b"proc"}),
    )
    assert made.config.env == ("A=1", "B=2")
    assert (made.config.cmd, dict(made.config.labels)) == (("x",), {"l": "1"})
    assert len(made.config.history) == 2
    detail = await images.shelf.detail("example.com/committed:1")
    blob = tmp_path / "root/images/blobs/sha256" / detail.layers[-1].descriptor.digest.hex
    with tarfile.open(blob) as layer:
        assert layer.getnames() == [".", ".wh.gone", "new", "whole", "whole/.wh..wh..opq"]
        assert all(
            not info.pax_headers.get("SCHILY.xattr.trusted.overlay.origin") for info in layer
        )
    assert json.loads(made.config.raw)["rootfs"]["diff_ids"][0] == base.layers[0].diff_id
