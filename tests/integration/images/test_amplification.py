"""I6, I7, I13 and C5: documents that want the client to work for ever, and names that move."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest
from aiohttp import web

from stacker.base.errors import Corrupt, StackerError
from stacker.drivers.images.images import Images
from stacker.oci import media_types
from tests.integration.images.conftest import OpenImages
from tests.registries import faults
from tests.registries.made import MANIFEST, TinyImage, digest_of, member, tar_of
from tests.registries.scripted import ScriptedRegistry
from tests.support.slowness import SLOWNESS

PLATFORM = {"os": "linux", "architecture": "amd64"}
MIB = 1 << 20
SMALL = tar_of(member("small", b"s" * 10))


def index_of(parts: list[tuple[str, bytes]]) -> bytes:
    entries = [
        {"mediaType": kind, "digest": digest_of(data), "size": len(data), "platform": PLATFORM}
        for kind, data in parts
    ]
    return json.dumps(
        {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": entries}
    ).encode()


def serve(registry: ScriptedRegistry, *, levels: int, width: int) -> str:
    """Each level names the one below `width` times: width ** levels ways down to one image."""
    image = TinyImage((SMALL,))
    registry.add(image)
    kind, data = MANIFEST, image.manifest
    for _ in range(levels):
        data = index_of([(kind, data)] * width)
        kind = media_types.OCI_INDEX
        registry.manifests[digest_of(data)] = (kind, data)
    registry.manifests["many"] = (kind, data)
    return f"{registry.host}/web:many"


async def test_a_million_ways_are_one(
    scripted: ScriptedRegistry, images: Images, root: Path
) -> None:
    """CVE-2026-53493: the graph is walked once, in a pull and in a collection."""
    name = serve(scripted, levels=2, width=1000)
    started = time.monotonic()
    assert await images.ensure(name)
    assert scripted.count("/manifests/") == 3
    assert scripted.count("/blobs/") == 2
    _keep_indexes(scripted, root)
    await images.collect()
    assert len((await images.usage()).images) == 2
    assert time.monotonic() - started < 3 * SLOWNESS
    assert await images.find(name)


def _keep_indexes(registry: ScriptedRegistry, root: Path) -> None:
    """As another tool would keep them: with the index itself as an entry."""
    for kind, data in registry.manifests.values():
        (root / "images/blobs/sha256" / digest_of(data)[7:]).write_bytes(data)
        if kind == media_types.OCI_INDEX:
            top = {"mediaType": kind, "digest": digest_of(data), "size": len(data)}
    index = root / "images/index.json"
    document = json.loads(index.read_bytes())
    document["manifests"].append(top)
    index.write_text(json.dumps(document))


async def test_too_deep(scripted: ScriptedRegistry, images: Images) -> None:
    with pytest.raises(Corrupt, match="nested more than 3 deep"):
        await images.ensure(serve(scripted, levels=4, width=1))
    assert scripted.count("/manifests/") == 4


async def test_too_wide(scripted: ScriptedRegistry, images: Images) -> None:
    with pytest.raises(StackerError, match="manifests"):
        await images.ensure(serve(scripted, levels=1, width=1001))
    assert scripted.count("/manifests/") == 1


ENDLESS = {
    "chunks without end": {},
    "a length of 2**63": {"Content-Length": str(1 << 63)},
    "ten GiB": {"Content-Length": str(10 << 30)},
}


class Flood:
    """An answer that is as long as it is read, and how much of it was taken."""

    def __init__(self, headers: dict[str, str], status: int = 200) -> None:
        self._headers = {"Content-Type": MANIFEST, **headers}
        self._status = status
        self.sent = 0
        self.before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(status=self._status, headers=self._headers)
        await answer.prepare(request)
        try:
            while self.sent < 256 * MIB:
                await answer.write(bytes(MIB))
                self.sent += MIB
        except (OSError, ValueError):
            pass
        return answer

    def check(self) -> None:
        """What was sent is what buffers on the way take, and nobody has kept it."""
        assert 0 < self.sent < 128 * MIB
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - self.before < 64 * 1024


@pytest.mark.parametrize("at", ["/manifests/", "/blobs/"])
@pytest.mark.parametrize("headers", ENDLESS.values(), ids=ENDLESS)
async def test_bodies_without_end(
    at: str, headers: dict[str, str], scripted: ScriptedRegistry, open_images: OpenImages
) -> None:
    """I7: no more is read than the bound, or than the descriptor promises."""
    name = scripted.add(TinyImage((SMALL,)))
    flood = Flood(headers)
    scripted.bend = faults.on(at, flood)
    with pytest.raises(StackerError):
        await open_images().ensure(name)
    flood.check()


ASKED: dict[str, tuple[str, int, Callable[[Images, str], Awaitable[object]]]] = {
    "a refusal": ("/manifests/", 403, lambda images, at: images.ensure(f"{at}/web:1")),
    "trouble": ("/blobs/", 503, lambda images, at: images.ensure(f"{at}/web:1")),
    "tags": ("/tags/", 200, lambda images, at: images.remote.tags(f"{at}/web")),
    "a catalog": ("/_catalog", 200, lambda images, at: images.remote.repositories(at)),
    "referrers": ("/referrers/", 200, lambda images, at: images.remote.referrers(f"{at}/web:1")),
    "an upload": ("/uploads/", 202, lambda images, at: images.push("a/b", target=f"{at}/c:1")),
}  # fmt: skip


@pytest.mark.parametrize("what", ASKED)
async def test_other_bodies_without_end(
    what: str, scripted: ScriptedRegistry, images: Images, tmp_path: Path
) -> None:
    """I7: errors and lists, too; of an upload's answer only the header counts."""
    at, status, ask = ASKED[what]
    scripted.add(TinyImage((SMALL,)))
    (tmp_path / "small.tar").write_bytes(SMALL)
    await images.import_tar(tmp_path / "small.tar", reference="a/b")
    flood = Flood({}, status)
    scripted.bend = faults.on(at, flood)
    with pytest.raises(StackerError):
        await ask(images, scripted.host)
    flood.check()


async def test_a_token_without_end(scripted: ScriptedRegistry, images: Images) -> None:
    name = scripted.add(TinyImage((SMALL,)))
    flood = Flood({})

    async def bend(request: web.Request) -> web.StreamResponse | None:
        if request.path == "/token":
            return await flood(request)
        realm = f'Bearer realm="http://{scripted.host}/token"'
        return web.Response(status=401, headers={"WWW-Authenticate": realm})

    scripted.bend = bend
    with pytest.raises(StackerError):
        await images.ensure(name)
    flood.check()


async def test_others_go_on_meanwhile(scripted: ScriptedRegistry, open_images: OpenImages) -> None:
    """C5: a pull that is refused, again and again, holds up nobody."""
    images = open_images()
    wide = serve(scripted, levels=1, width=1001)
    honest = scripted.add(TinyImage((SMALL,)))
    ended = anyio.Event()

    async def refused() -> None:
        while not ended.is_set():
            with pytest.raises(StackerError):
                await images.ensure(wide)

    async with anyio.create_task_group() as group:
        group.start_soon(refused)
        with anyio.fail_after(3 * SLOWNESS):
            for _ in range(5):
                await images.ensure(honest)
                await images.remove(honest)
        ended.set()
    assert scripted.count("/web/manifests/many") > 1


async def test_a_tag_that_moves_during_the_pull(scripted: ScriptedRegistry, images: Images) -> None:
    """I13: after the name has been resolved, everything is asked for by digest."""
    first = TinyImage((SMALL,), config={"User": "first"})
    second = TinyImage((SMALL,), config={"User": "second"})
    name = scripted.add(first)

    async def move(request: web.Request) -> None:
        scripted.add(second)

    scripted.bend = faults.on("/blobs/", move, times=1)  # type: ignore[arg-type]
    image = await images.ensure(name)
    assert image.config.user == "first"
    assert image.manifest_digest == first.digest
    assert scripted.count(f"/manifests/{name.rpartition(':')[2]}") == 1
