"""Images that buildah has made, one layer after another, pulled from the real docker-registry."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from stacker.drivers.images.images import Images
from tests.integration.images.conftest import mounted_tree
from tests.registries.buildah import Buildah, buildah
from tests.registries.debian import DebianRegistry, run
from tests.registries.made import rich_layers
from tests.registries.trees import tree_of

pytestmark = pytest.mark.root

NAME = "localhost/built:1"


def change(root: Path) -> None:
    """What a second layer can say: removed, replaced, renamed, changed in its attributes only."""
    (root / "etc/motd").unlink()
    shutil.rmtree(root / "usr/lib/old")
    (root / "usr/lib/old").mkdir(mode=0o711)
    (root / "usr/lib/old/fresh").write_bytes(b"f" * 5000)
    (root / "var/data").rename(root / "var/moved")
    (root / "lib").unlink()
    (root / "lib").mkdir()
    os.link(root / "bin/su", root / "bin/su-again")
    os.chown(root / "usr", 5, 6)
    os.setxattr(root / "tmp", "user.colour", b"red")
    (root / os.fsdecode(b"\xff-no-utf-8")).write_bytes(b"")


@pytest.fixture(scope="module")
def built() -> Iterator[tuple[Buildah, dict[str, tuple[object, ...]]]]:
    """A store with the image in it, and the tree of a container that is made of it."""
    with buildah() as tool:
        first = tool("from", "scratch")
        for number, layer in enumerate(rich_layers()[::3]):
            file = tool.folder / f"{number}.tar"
            file.write_bytes(layer)
            tool("add", "-q", first, str(file), "/")
        tool("commit", "-q", first, "localhost/base:1")
        second = tool("from", "--pull-never", "localhost/base:1")
        with tool.mounted(second) as root:
            change(root)
        tool("copy", "-q", "--chown", "7:8", second, str(tool.folder / "0.tar"), "/srv/added.tar")
        tool("config", "--cmd", '["/bin/su"]', "--env", "BUILT=by buildah", "--user", "7", second)
        tool("commit", "-q", second, NAME)
        with tool.mounted(tool("from", "--pull-never", NAME)) as root:
            tree = tree_of(root)
        yield tool, tree


@pytest.mark.parametrize(
    ("form", "compression"), [("oci", "gzip"), ("oci", "zstd"), ("v2s2", "gzip")]
)
async def test_the_mounted_tree_is_buildahs(
    form: str,
    compression: str,
    built: tuple[Buildah, dict[str, tuple[object, ...]]],
    registry: DebianRegistry,
    images: Images,
    tmp_path: Path,
) -> None:
    tool, tree = built
    name = f"{registry.host}/buildah/{form}-{compression}:1"
    packing = ("--compression-format", compression, "--format", form)
    tool("push", "-q", "--tls-verify=false", *packing, NAME, f"docker://{name}")

    image = await images.ensure(name)
    assert image.config.cmd == ("/bin/su",)
    assert "BUILT=by buildah" in image.config.env
    said = json.loads(run("skopeo", "inspect", "--tls-verify=false", f"docker://{name}"))
    assert said["Digest"] == image.manifest_digest
    assert len(said["Layers"]) == 2

    mounted = await mounted_tree(image, tmp_path)
    assert mounted == tree
    if compression == "gzip":  # Debian's umoci knows no other
        layout = f"{tmp_path}/layout:t"
        run("skopeo", "copy", "-q", "--src-tls-verify=false", f"docker://{name}", f"oci:{layout}")
        run("umoci", "unpack", "--image", layout, str(tmp_path / "bundle"))
        assert mounted == tree_of(tmp_path / "bundle/rootfs")
