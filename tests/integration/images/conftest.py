"""Registries, images and stores for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runtime.linux import mount
from stacker.drivers.images.images import Images
from stacker.drivers.images.registry.patience import Patience
from stacker.drivers.mounts import Mounts
from stacker.oci.image import Image, LayerFormat
from tests.registries.debian import DebianRegistry, debian_registry, make_certificate
from tests.registries.made import rich_layers, umoci_layout
from tests.registries.scripted import ScriptedRegistry
from tests.registries.trees import tree_of

QUICK = Patience(
    connect_s=2,
    answer_s=0.5,
    commit_s=1.5,
    floor_window_s=0.3,
    floor_bytes_per_s=1000,
    tries=3,
    backoff_s=0.01,
    retry_after_cap_s=1,
)
"""The same rules as a user's, in less time."""

OpenImages = Callable[..., Images]


@pytest.fixture(scope="session")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rich image, as umoci has made it: `layout:t`."""
    return umoci_layout(tmp_path_factory.mktemp("made") / "layout", rich_layers())


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianRegistry]:
    """A real registry without authentication, over plain HTTP."""
    with debian_registry(tmp_path_factory.mktemp("registry") / "plain") as running:
        yield running


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedRegistry]:
    async with ScriptedRegistry() as running:
        yield running


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


async def mounted_tree(image: Image, tmp_path: Path) -> dict[str, tuple[object, ...]]:
    """What a container of the image would see."""
    mounts, target = Mounts(tmp_path / "run"), tmp_path / "run" / "rootfs"
    layers = [Path(layer.path) for layer in image.layers]
    upper, work = tmp_path / "upper", tmp_path / "work"
    await mounts.mount_rootfs("c", layers, upper=upper, work=work, target=target)
    try:
        return tree_of(target)
    finally:
        await mounts.unmount_rootfs(target)
        await mounts.close()


@contextmanager
def small_file_system(root: Path, *, mib: int) -> Iterator[Path]:
    """A file system of so many MiB under the store."""
    root.mkdir()
    mount.mount("tmpfs", str(root), "tmpfs", 0, f"size={mib}m,mode=0700")
    try:
        yield root
    finally:
        mount.umount2(str(root))


@pytest.fixture
def small_disk(root: Path) -> Iterator[Path]:
    with small_file_system(root, mib=2) as place:
        yield place


@pytest.fixture
def layer_format() -> LayerFormat:
    """A module whose tests shall see both overrides it."""
    return LayerFormat.EROFS


@pytest.fixture
def open_images(root: Path, layer_format: LayerFormat) -> OpenImages:
    """Open the store of this test, as often as it likes; no credentials unless given."""
    usual = {"auth_files": (), "patience": QUICK, "layer_format": layer_format}

    def opened(**options: object) -> Images:
        return Images(root, **usual | options)  # type: ignore[arg-type]

    return opened


@pytest.fixture
def images(open_images: OpenImages) -> Images:
    return open_images()


@pytest.fixture
async def behind_tls(
    open_images: OpenImages, tmp_path: Path
) -> AsyncIterator[tuple[ScriptedRegistry, Images]]:
    """A registry behind TLS, and the store of this test, which trusts its authority."""
    made = make_certificate(tmp_path / "certificates")
    async with ScriptedRegistry(tls=made.server_context()) as running:
        trusted = tmp_path / "certs.d" / running.host
        trusted.mkdir(parents=True)
        (trusted / "ca.crt").write_bytes(made.authority.read_bytes())
        yield running, open_images(certificate_directories=[tmp_path / "certs.d"])


@pytest.fixture
def final_names(root: Path) -> Callable[[], set[str]]:
    """Everything that is visible as content."""

    def listed() -> set[str]:
        folders = (root / "images/blobs", root / "layers", root / "corrections")
        return {path.name for folder in folders for path in folder.glob("*/*")}

    return listed
