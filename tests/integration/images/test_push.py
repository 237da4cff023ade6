"""One suite for the client: against Debian's docker-registry, and the registry in this process.

docker-registry 2.8 keeps no referrers, so it shows the fall-back tag; ours keeps them.
"""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from stacker.base.errors import Invalid, NotFound, Unsupported
from stacker.drivers.images.images import Images
from stacker.oci.progress import PushProgress, PushState
from tests.integration.images.conftest import OpenImages
from tests.registries import faults
from tests.registries.debian import debian_registry, run
from tests.registries.made import MANIFEST, TinyImage, digest_of, member, tar_of
from tests.registries.scripted import ScriptedRegistry
from tests.registries.shelves import INDEX
from tests.registries.tokens import TokenServer
from tests.support.auth import auth_file

LARGE = random.Random(4).randbytes(900_000)
IMAGE = TinyImage((tar_of(member("a", b"a" * 1000)), tar_of(member("b", LARGE))))


@dataclass(frozen=True, slots=True)
class Server:
    host: str
    keeps_referrers: bool
    deletes_tags: bool


@pytest.fixture(params=["docker-registry", "ours"])
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Server]:
    if request.param == "ours":
        async with ScriptedRegistry() as running:
            yield Server(running.host, True, True)
    else:
        with debian_registry(tmp_path / "registry") as real:
            yield Server(real.host, False, False)


@pytest.fixture
async def here(scripted: ScriptedRegistry, images: Images) -> str:
    """The image, in the store; its name there is of another registry."""
    name = scripted.add(IMAGE)
    await images.ensure(name)
    return name


async def skopeo(*arguments: str) -> bytes:
    return await anyio.to_thread.run_sync(
        lambda: run("skopeo", arguments[0], "--tls-verify=false", *arguments[1:])
    )


@pytest.mark.parametrize("chunk", [100_000, 1 << 30], ids=["chunked", "whole"])
async def test_pushed_image_is_the_same_everywhere(
    chunk: int, server: Server, here: str, open_images: OpenImages, tmp_path: Path
) -> None:
    target = f"{server.host}/pushed/web:1"
    events: list[PushProgress] = []
    sent = await open_images(upload_chunk=chunk).push(here, target=target, progress=events.append)
    assert (str(sent.digest), sent.reference) == (IMAGE.digest, target)
    assert (sent.blobs_sent, sent.blobs_present, sent.blobs_mounted) == (3, 0, 0)
    assert sent.bytes_sent == sum(map(len, IMAGE.blobs.values()))
    assert await skopeo("inspect", "--raw", f"docker://{target}") == IMAGE.manifest
    await anyio.to_thread.run_sync(
        lambda: run(
            *("skopeo", "copy", "-q", "--src-tls-verify=false", "--preserve-digests"),
            *(f"docker://{target}", f"oci:{tmp_path}/checked:t"),
        )
    )
    uploaded = [e.current for e in events if e.state is PushState.UPLOADING and e.total > 900_000]
    assert uploaded == sorted(uploaded)
    assert uploaded[-1] > 900_000

    other = Images(tmp_path / "other", auth_files=())
    assert str((await other.ensure(target)).manifest_digest) == IMAGE.digest


async def test_nothing_is_sent_twice(server: Server, here: str, images: Images) -> None:
    await images.push(here, target=f"{server.host}/first/web:1")
    again = await images.push(here, target=f"{server.host}/first/web:2")
    assert (again.blobs_present, again.bytes_sent) == (3, 0)
    # another repository of the same registry: what is known to be in the first is mounted
    await images.ensure(f"{server.host}/first/web:1")
    mounted = await images.push(here, target=f"{server.host}/second/web:1")
    assert (mounted.blobs_mounted, mounted.bytes_sent) == (3, 0)
    assert await images.remote.tags(f"{server.host}/first/web") == ("1", "2")


async def test_copy_within_a_registry_mounts(server: Server, here: str, images: Images) -> None:
    await images.push(here, target=f"{server.host}/first/web:1")
    copied = await images.remote.copy(f"{server.host}/first/web:1", f"{server.host}/second/web:x")
    assert (copied.blobs_mounted, copied.bytes_sent) == (3, 0)
    assert str(copied.digest) == IMAGE.digest


def with_index(registry: ScriptedRegistry) -> tuple[str, TinyImage]:
    """An index of two platforms in the registry; its reference, and the image for arm64."""
    arm = TinyImage(IMAGE.layers, platform=("linux", "arm64"))
    entries = []
    for image in (IMAGE, arm):
        registry.add(image, tag=image.platform[1])
        platform = dict(zip(("os", "architecture"), image.platform, strict=True))
        entry = {"mediaType": MANIFEST, "digest": image.digest, "size": len(image.manifest)}
        entries.append(entry | {"platform": platform})
    document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
    data = json.dumps(document).encode()
    registry.manifests["all"] = registry.manifests[digest_of(data)] = (INDEX, data)
    return f"{registry.host}/web:all", arm


@pytest.mark.parametrize("chunk", [100_000, 1 << 30], ids=["chunked", "whole"])
async def test_copy_of_an_index(
    chunk: int, server: Server, scripted: ScriptedRegistry, open_images: OpenImages
) -> None:
    source, arm = with_index(scripted)
    remote = open_images(upload_chunk=chunk).remote
    sent = await remote.copy(source, f"{server.host}/copied/web:all")
    assert sent.blobs_sent == 4  # the layers are shared
    raw = await skopeo("inspect", "--raw", f"docker://{server.host}/copied/web:all")
    assert digest_of(raw) == str(sent.digest)
    one = await remote.copy(source, f"{server.host}/copied/web:arm", platform="linux/arm64")
    assert str(one.digest) == arm.digest
    assert (await remote.head(f"{server.host}/copied/web:arm")).digest == one.digest


async def test_lists_of_many_pages(server: Server, here: str, images: Images) -> None:
    tags = [f"v{number}" for number in range(7)]
    for tag in tags:
        await images.push(here, target=f"{server.host}/many/web:{tag}")
    for number in range(4):
        await images.push(here, target=f"{server.host}/other{number}:1")
    assert list(await images.remote.tags(f"{server.host}/many/web")) == tags
    found = await images.remote.repositories(server.host)
    assert list(found) == ["many/web", *(f"other{number}" for number in range(4))]


async def test_delete(server: Server, here: str, images: Images) -> None:
    name = f"{server.host}/gone/web"
    await images.push(here, target=f"{name}:1")
    await images.push(here, target=f"{name}:2")
    if server.deletes_tags:
        await images.remote.delete(f"{name}:1")
        assert await images.remote.tags(name) == ("2",)
        await images.remote.head(f"{name}:2")
    else:
        with pytest.raises(Unsupported, match=f"{server.host} cannot delete a tag alone"):
            await images.remote.delete(f"{name}:1")
    await images.remote.delete(f"{name}@{IMAGE.digest}")
    with pytest.raises(NotFound, match=f"look up {name}:2: "):
        await images.remote.head(f"{name}:2")
    with pytest.raises(NotFound):
        await images.remote.delete(f"{name}@{IMAGE.digest}")


async def test_head_asks_once(scripted: ScriptedRegistry, images: Images) -> None:
    name = scripted.add(IMAGE)
    found = await images.remote.head(name)
    assert (str(found.digest), found.size, found.media_type) == (
        IMAGE.digest,
        len(IMAGE.manifest),
        MANIFEST,
    )
    assert [seen.method for seen in scripted.seen if "/manifests/" in seen.path] == ["HEAD"]


def add_artifact(registry: ScriptedRegistry, kind: str) -> str:
    """A signature or the like of the image; its digest."""
    empty = {
        "mediaType": "application/vnd.oci.empty.v1+json",
        "digest": digest_of(b"{}"),
        "size": 2,
        "data": "e30=",
    }
    subject = {"mediaType": MANIFEST, "digest": IMAGE.digest, "size": len(IMAGE.manifest)}
    content = f"what {kind} says".encode()
    layer = {"mediaType": "text/plain", "digest": digest_of(content), "size": len(content)}
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": kind,
        "config": empty,
        "layers": [layer],
        "subject": subject,
        "annotations": {"made.by": "test"},
    }
    data = json.dumps(document).encode()
    shelf = registry.shelves.by_name["signed/here"]
    shelf.blobs |= {digest_of(content): content}
    shelf.manifests[digest_of(data)] = (MANIFEST, data)
    return digest_of(data)


async def test_referrers_are_copied_and_listed(server: Server, images: Images, here: str) -> None:
    name = f"{server.host}/signed/web:1"
    async with ScriptedRegistry() as source:
        signed = f"{source.host}/signed/here:1"
        await images.push(here, target=signed)
        wanted = {add_artifact(source, "text/signature"), add_artifact(source, "text/parts")}
        await images.remote.copy(signed, name, with_referrers=True)
    found = await images.remote.referrers(name)
    assert {str(entry.digest) for entry in found} == wanted
    assert {entry.annotations["made.by"] for entry in found} == {"test"}
    (one,) = await images.remote.referrers(name, artifact_type="text/parts")
    assert one.artifact_type == "text/parts"
    fallback = [f"sha256-{IMAGE.digest.removeprefix('sha256:')}"]
    tags = await images.remote.tags(name)
    assert set(tags) - {"1"} == set([] if server.keeps_referrers else fallback)

    await images.remote.delete(f"{server.host}/signed/web@{one.digest}")
    (left,) = await images.remote.referrers(name)
    assert left.artifact_type == "text/signature"


async def test_names_that_cannot_be_pushed(server: Server, here: str, images: Images) -> None:
    wrong = "sha256:" + "0" * 64
    with pytest.raises(NotFound, match=r"push .*nothing:1: image nothing is not here"):
        await images.push("nothing", target=f"{server.host}/nothing:1")
    with pytest.raises(Invalid, match=f"what is here under .* is {IMAGE.digest}"):
        await images.push(here, target=f"{server.host}/web@{wrong}")
    by_digest = await images.push(here, target=f"{server.host}/web@{IMAGE.digest}")
    assert (await images.remote.head(by_digest.reference)).digest == by_digest.digest


async def test_a_blob_that_is_not_kept(
    server: Server, here: str, images: Images, root: Path, scripted: ScriptedRegistry
) -> None:
    """Where the registry has not what the store has dropped, it comes from where it came from."""
    digest = IMAGE.layer_digests[1]
    blob = root / "images/blobs/sha256" / digest.removeprefix("sha256:")
    await images.push(here, target=f"{server.host}/web:1")
    blob.unlink()
    scripted.seen.clear()
    assert await images.push(here, target=f"{server.host}/web:2")
    assert not scripted.count(f"/v2/web/blobs/{digest}")
    assert not blob.exists()

    scripted.bend = faults.on(f"/v2/web/blobs/{digest}", faults.status(404))
    with pytest.raises(NotFound, match=f"push .*: blob {digest[7:19]}: "):
        await images.push(here, target=f"{server.host}/other:1")
    with pytest.raises(NotFound):
        await images.remote.head(f"{server.host}/other:1")
    scripted.bend = None
    events: list[PushProgress] = []
    sent = await images.push(here, target=f"{server.host}/other:1", progress=events.append)
    assert str(sent.digest) == IMAGE.digest
    assert f"fetched again from {here}" in "".join(event.note for event in events)
    assert blob.read_bytes() == IMAGE.blobs[digest]


async def test_a_blob_that_nobody_has(
    server: Server, images: Images, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "made.tar").write_bytes(IMAGE.layers[0])
    await images.import_tar(tmp_path / "made.tar", reference="local/made:1")
    layer = (await images.shelf.detail("local/made:1")).layers[0].descriptor
    (root / "images/blobs/sha256" / layer.digest.hex).unlink()
    with pytest.raises(NotFound, match=r"push .*: .* it came from no registry"):
        await images.push("local/made:1", target=f"{server.host}/made:1")
    with pytest.raises(NotFound, match=r"complete local/made:1: .* it came from no registry"):
        await images.complete("local/made:1")


async def test_layers_that_may_not_be_distributed_stay(
    scripted: ScriptedRegistry, images: Images, server: Server
) -> None:
    image = TinyImage((tar_of(member("b", b"b" * 100)),))
    document = json.loads(image.manifest)
    document["layers"][0] |= {
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "urls": ["https://example.org/layer"],
    }
    document["mediaType"] = "application/vnd.docker.distribution.manifest.v2+json"
    document["config"]["mediaType"] = "application/vnd.docker.container.image.v1+json"
    image.manifest = json.dumps(document).encode()
    scripted.blobs.update(image.blobs)
    scripted.manifests["1"] = (document["mediaType"], image.manifest)
    scripted.manifests[image.digest] = scripted.manifests["1"]
    events: list[PushProgress] = []
    sent = await images.remote.copy(
        f"{scripted.host}/web:1", f"{server.host}/foreign:1", progress=events.append
    )
    assert sent.blobs_sent == 1
    skipped = [event.blob for event in events if event.state is PushState.SKIPPED]
    assert skipped == image.layer_digests


async def test_scopes_of_a_push(here: str, open_images: OpenImages, tmp_path: Path) -> None:
    async with TokenServer(tmp_path / "tokens") as tokens:
        with debian_registry(tmp_path / "bearer", auth=tokens.auth()) as registry:
            realm = tokens.realm.removeprefix("http://").removesuffix("/token")
            images = open_images(
                auth_files=[auth_file(tmp_path, registry.host)],
                realms={registry.host: frozenset({realm})},
            )
            await images.push(here, target=f"{registry.host}/private/web:1")
            assert {request.scope for request in tokens.requests} == {
                "repository:private/web:pull,push"
            }
            await images.ensure(f"{registry.host}/private/web:1")
            tokens.requests.clear()
            sent = await images.push(here, target=f"{registry.host}/private/other:1")
            assert sent.blobs_mounted == 3
            assert [request.scope for request in tokens.requests] == [
                "repository:private/other:pull,push repository:private/web:pull"
            ]
            # where a foreign scope refuses the whole token, nothing can be mounted
            tokens.refused = "repository:private/web:pull"
            sent = await images.push(here, target=f"{registry.host}/private/third:1")
            assert (sent.blobs_mounted, sent.blobs_sent) == (0, 3)
            assert tokens.requests[-1].scope == "repository:private/third:pull,push"
            tokens.refused = ""
            await images.remote.delete(f"{registry.host}/private/web@{IMAGE.digest}")
            assert tokens.requests[-1].scope == "repository:private/web:pull,push,delete"
