"""Pulls of images that umoci and skopeo have made.

From Debian's docker-registry, and from the registry in this process: one suite for both.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import aiohttp
import anyio
import anyio.to_thread
import pytest

from stacker.base.errors import Denied, NotFound
from stacker.drivers.images.images import Images
from stacker.oci.image import Image
from stacker.oci.progress import PullProgress, PullState
from tests.integration.images.conftest import OpenImages, mounted_tree
from tests.registries.debian import (
    PASSWORD,
    DebianRegistry,
    debian_registry,
    htpasswd_auth,
    make_certificate,
    run,
)
from tests.registries.made import MANIFEST, dependent_layers, digest_of, umoci_layout
from tests.registries.scripted import ScriptedRegistry
from tests.registries.tokens import TokenServer
from tests.registries.trees import tree_of
from tests.support.auth import auth_file

Server = DebianRegistry | ScriptedRegistry


@pytest.fixture(scope="session")
def packed(layout: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Where the rich image is, by the compression of its layers."""
    folder = tmp_path_factory.mktemp("packed")
    plain, zstd = f"dir:{folder}/plain", f"oci:{folder}/zstd:t"
    run("skopeo", "copy", "-q", "--dest-decompress", f"oci:{layout}:t", plain)
    run("skopeo", "copy", "-q", "--dest-compress", "--dest-compress-format", "zstd", plain, zstd)
    return {"gzip": f"oci:{layout}:t", "zstd": zstd}


@pytest.fixture(params=["docker-registry", "ours"])
async def server(
    request: pytest.FixtureRequest, registry: DebianRegistry, scripted: ScriptedRegistry
) -> Server:
    return registry if request.param == "docker-registry" else scripted


@pytest.fixture
async def pushed(server: Server, packed: dict[str, str]) -> dict[str, str]:
    """References of the rich image, pushed by skopeo, by the compression of its layers."""
    references = {name: f"{server.host}/rich/{name}:1" for name in packed}
    for name, reference in references.items():
        await skopeo_push(packed[name], reference)
    return references


async def skopeo_push(source: str, reference: str) -> None:
    """In a thread: the registry may be in this process."""
    copy = ("skopeo", "copy", "-q", "--preserve-digests", "--dest-tls-verify=false")
    await anyio.to_thread.run_sync(lambda: run(*copy, source, f"docker://{reference}"))


@pytest.mark.root
@pytest.mark.parametrize("compression", ["gzip", "zstd"])
async def test_mounted_tree_is_what_umoci_unpacks(
    compression: str, pushed: dict[str, str], layout: Path, images: Images, tmp_path: Path
) -> None:
    image = await images.ensure(pushed[compression])
    assert len(image.layers) == 4
    raw = (images_blobs(tmp_path) / image.manifest_digest.removeprefix("sha256:")).read_bytes()
    kinds = {layer["mediaType"].rpartition("+")[2] for layer in json.loads(raw)["layers"]}
    assert kinds == {compression}

    assert await _differences(image, layout, tmp_path) == {}


@pytest.mark.root
async def test_layers_that_depend_on_those_below(
    images: Images, tmp_path: Path, final_names: Callable[[], set[str]]
) -> None:
    """Made side by side, they give what unpacking them one after another gives."""
    layout = umoci_layout(tmp_path / "layout", dependent_layers())
    (image,) = await images.load(layout)
    assert len(image.layers) == 3  # the second needs corrections over the first
    assert await _differences(image, layout, tmp_path) == {}
    assert await images.find(image.id) == image
    await images.collect()
    assert await images.find(image.id) == image
    await images.remove(image.reference)
    assert final_names() == set()


async def _differences(image: Image, layout: Path, tmp_path: Path) -> dict[str, object]:
    """What differs between the image, mounted, and umoci's unpacking of the layout."""
    run("umoci", "unpack", "--image", f"{layout}:t", str(tmp_path / "bundle"))
    ours, theirs = await mounted_tree(image, tmp_path), tree_of(tmp_path / "bundle/rootfs")
    names = ours.keys() | theirs.keys()
    return {
        name: (ours.get(name), theirs.get(name))
        for name in names
        if ours.get(name) != theirs.get(name)
    }


async def test_config_and_names(pushed: dict[str, str], layout: Path, images: Images) -> None:
    image = await images.ensure(pushed["gzip"])
    assert image.reference == pushed["gzip"]
    assert image.config.cmd == ("/bin/su",)
    assert image.config.env[-1] == "COLOUR=blue"
    assert image.config.exposed_ports == ("80/tcp",)
    assert image.config.working_dir == "/var"
    assert image.config.labels == {"made.by": "umoci"}
    assert image.size_bytes == sum(layer.size_bytes for layer in image.layers) > 0

    for name in (pushed["gzip"], image.id, image.id[7:19], image.manifest_digest):
        assert await images.find(name) == image
    assert await images.find("unknown") is None
    assert await images.find(pushed["gzip"], platform="linux/s390x") is None
    assert await images.list() == (image,)


async def test_pull_by_digest(pushed: dict[str, str], images: Images) -> None:
    tagged = await images.ensure(pushed["gzip"])
    name = f"{pushed['gzip'].removesuffix(':1')}@{tagged.manifest_digest}"
    assert (await images.find(name)) == tagged  # the tag has brought it already
    await images.remove(pushed["gzip"])
    assert await images.find(name) is None

    pinned = await images.ensure(name)
    assert pinned.id == tagged.id
    assert pinned.reference == name


async def test_shared_layers_are_fetched_once(
    pushed: dict[str, str], open_images: OpenImages
) -> None:
    images = open_images()
    events: list[PullProgress] = []
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(
                lambda: images.ensure(pushed["gzip"], policy="always", progress=events.append)
            )
    downloads = {e.layer for e in events if e.state is PullState.DOWNLOADING and e.current == 0}
    started = [e.layer for e in events if e.state is PullState.DOWNLOADING and e.current == 0]
    assert len(started) == len(downloads) == 5  # four layers and the config

    again: list[PullProgress] = []
    await images.ensure(pushed["gzip"], progress=again.append)
    assert [event.state for event in again] == [PullState.PRESENT]


async def test_one_image_under_many_names_at_once(
    scripted: ScriptedRegistry, layout: Path, images: Images, root: Path
) -> None:
    """All of them end with the same manifest, at the same moment."""
    names = [scripted.add_layout(layout, tag=f"t{number}") for number in range(40)]
    await _pull_all(images, names)
    assert len({image.id for image in await images.list()}) == 1
    assert {image.reference for image in await images.list()} == set(names)
    _whole(root)


async def test_the_same_layers_packed_differently_at_once(
    pushed: dict[str, str], open_images: OpenImages, tmp_path: Path
) -> None:
    """The blobs differ, the layers that they become are the same."""
    for number in range(5):
        images = open_images()
        await _pull_all(images, list(pushed.values()))
        both = [await images.find(name) for name in pushed.values()]
        assert both[0] is not None
        assert both[1] is not None
        assert both[0].layers == both[1].layers
        _whole(tmp_path / "root")
        for layer in both[0].layers:
            run("fsck.erofs", layer.path)
        (tmp_path / "root").rename(tmp_path / f"root-{number}")


async def _pull_all(images: Images, names: list[str]) -> None:
    async with anyio.create_task_group() as group:
        for name in names:
            group.start_soon(images.ensure, name)


def _whole(root: Path) -> None:
    """Every blob has the digest of its name, and nothing is left half made."""
    for blob in (root / "images/blobs/sha256").iterdir():
        assert digest_of(blob.read_bytes()) == f"sha256:{blob.name}"
    assert list((root / "partial").iterdir()) == []


async def test_policies(pushed: dict[str, str], images: Images) -> None:
    with pytest.raises(NotFound, match="never"):
        await images.ensure(pushed["gzip"], policy="never")
    await images.ensure(pushed["gzip"], policy="if_not_present")
    assert await images.ensure(pushed["gzip"], policy="never")
    missing = pushed["gzip"].replace(":1", ":2")
    with pytest.raises(NotFound, match=f"pull {missing}: manifest: .*MANIFEST_UNKNOWN"):
        await images.ensure(missing)


async def test_skopeo_and_umoci_read_the_layout(
    pushed: dict[str, str], images: Images, root: Path
) -> None:
    image = await images.ensure(pushed["gzip"])
    said = json.loads(run("skopeo", "inspect", f"oci:{root}/images:{image.reference}"))
    assert said["Digest"] == image.manifest_digest
    assert len(said["Layers"]) == 4
    copied = root.parent / "copied"
    run("skopeo", "copy", "-q", f"oci:{root}/images:{image.reference}", f"oci:{copied}:t")
    tags = run("umoci", "ls", "--layout", str(root / "images")).decode().split()
    assert tags == [image.reference]


async def test_an_index_is_followed_to_our_platform(
    server: Server, layout: Path, images: Images, tmp_path: Path
) -> None:
    entries = []
    for architecture in ("arm64", "amd64"):
        other = tmp_path / architecture
        run("cp", "-r", str(layout), str(other))
        run("umoci", "config", "--image", f"{other}:t", "--architecture", architecture)
        await skopeo_push(f"oci:{other}:t", f"{server.host}/multi/all:{architecture}")
        raw = run("skopeo", "inspect", "--raw", f"oci:{other}:t")
        entries.append(_entry(json.loads(raw).get("mediaType"), raw, architecture))
    index = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": entries,
        }
    ).encode()
    await _put_manifest(server.host, "multi/all", "1", index)

    name = f"{server.host}/multi/all:1"
    arm = await images.ensure(name, platform="linux/arm64")
    assert arm.config.architecture == "arm64"
    # the same name for another platform replaces it: the old one stays by its digest
    amd = await images.ensure(name, platform="linux/amd64")
    assert amd.config.architecture == "amd64"
    assert {image.id for image in await images.list()} == {arm.id, amd.id}
    with pytest.raises(NotFound, match=r"no image for linux/s390x in the index, only for linux/a"):
        await images.ensure(name, platform="linux/s390x")


async def test_basic_authentication(layout: Path, open_images: OpenImages, tmp_path: Path) -> None:
    with debian_registry(tmp_path / "basic", auth=htpasswd_auth(tmp_path)) as registry:
        name = f"{registry.host}/private/web:1"
        registry.skopeo(f"oci:{layout}:t", f"docker://{name}", credentials=True)
        with pytest.raises(Denied, match="wants credentials, and there are none"):
            await open_images().ensure(name)
        with pytest.raises(Denied, match="refuses the credentials of 'user'") as refused:
            await open_images(auth_files=[auth_file(tmp_path, registry.host, "wrong")]).ensure(name)
        assert "wrong" not in str(refused.value)

        login = auth_file(tmp_path, registry.host, PASSWORD)
        assert (await open_images(auth_files=[login]).ensure(name)).config.cmd == ("/bin/su",)


async def test_token_authentication(layout: Path, open_images: OpenImages, tmp_path: Path) -> None:
    async with TokenServer(tmp_path / "tokens") as tokens:
        with debian_registry(tmp_path / "bearer", auth=tokens.auth()) as registry:
            name = f"{registry.host}/private/web:1"
            push = ("copy", f"oci:{layout}:t", f"docker://{name}")
            await anyio.to_thread.run_sync(lambda: registry.skopeo(*push[1:], credentials=True))
            realm_host = tokens.realm.removeprefix("http://").removesuffix("/token")
            login = auth_file(tmp_path, registry.host, PASSWORD)
            tokens.requests.clear()

            # the token server is another host: it gets no credentials unless it is known to belong
            with pytest.raises(Denied):
                await open_images(auth_files=[login]).ensure(name)
            assert all(request.authorization is None for request in tokens.requests)

            realms = {registry.host: frozenset({realm_host})}
            tokens.requests.clear()
            image = await open_images(auth_files=[login], realms=realms).ensure(name)
            assert image.config.cmd == ("/bin/su",)
            assert [request.scope for request in tokens.requests] == ["repository:private/web:pull"]
            assert tokens.requests[0].authorization


async def test_anonymous_token(layout: Path, open_images: OpenImages, tmp_path: Path) -> None:
    async with TokenServer(tmp_path / "tokens", anonymous=True) as tokens:
        with debian_registry(tmp_path / "bearer", auth=tokens.auth()) as registry:
            name = f"{registry.host}/public/web:1"
            await anyio.to_thread.run_sync(
                lambda: registry.skopeo(f"oci:{layout}:t", f"docker://{name}", credentials=True)
            )
            assert await open_images().ensure(name)


async def test_https_with_an_authority_of_its_own(
    layout: Path, open_images: OpenImages, tmp_path: Path
) -> None:
    certificate = make_certificate(tmp_path / "certificates")
    with debian_registry(tmp_path / "tls", certificate=certificate) as registry:
        name = f"{registry.host}/web:1"
        registry.skopeo(f"oci:{layout}:t", f"docker://{name}")
        with pytest.raises(Denied, match=r"certificate of 127\.0\.0\.1:.* is not trusted"):
            await open_images().ensure(name)

        folder = tmp_path / "certs.d" / registry.host
        folder.mkdir(parents=True)
        (folder / "ca.crt").write_bytes(certificate.authority.read_bytes())
        images = open_images(certificate_directories=[tmp_path / "certs.d"])
        assert await images.ensure(name)


async def test_find_is_quick(pushed: dict[str, str], open_images: OpenImages) -> None:
    """No file is opened for a present image: a stat of the index and of each layer is all."""
    await open_images().ensure(pushed["gzip"])
    images = open_images()
    first = await images.find(pushed["gzip"])
    with anyio.fail_after(1):
        for _ in range(1000):
            assert await images.find(pushed["gzip"]) is first


async def test_settled_content_survives_a_power_cut(
    pushed: dict[str, str], open_images: OpenImages, final_names: Callable[[], set[str]]
) -> None:
    first = open_images(boot_id="one")
    image = await first.ensure(pushed["gzip"])
    await first.settle()
    after = open_images(boot_id="two")
    assert await after.find(pushed["gzip"]) == image
    assert after.take_warnings() == ()

    await after.remove(pushed["gzip"])
    assert final_names() == set()
    await after.ensure(pushed["gzip"])
    third = open_images(boot_id="three")  # nothing has been settled since
    assert len(third.take_warnings()) >= 9
    assert await third.find(pushed["gzip"]) is None
    assert await third.ensure(pushed["gzip"]) == image


def images_blobs(tmp_path: Path) -> Path:
    return tmp_path / "root/images/blobs/sha256"


def _entry(media_type: str | None, raw: bytes, architecture: str) -> dict[str, object]:
    return {
        "mediaType": media_type or MANIFEST,
        "digest": digest_of(raw),
        "size": len(raw),
        "platform": {"os": "linux", "architecture": architecture},
    }


async def _put_manifest(host: str, repository: str, tag: str, data: bytes) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.put(
            f"http://{host}/v2/{repository}/manifests/{tag}",
            data=data,
            headers={"Content-Type": "application/vnd.oci.image.index.v1+json"},
        ) as answer,
    ):
        assert answer.status == 201, await answer.text()
