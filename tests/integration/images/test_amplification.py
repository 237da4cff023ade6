"""I6, I7, I13 and C5: documents that want the client to work for ever, and names that move."""

from __future__ import annotations

import json
import resource
import time
from pathlib import Path

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
        await images.ensure(serve(scripted, levels=3, width=1))
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


@pytest.mark.parametrize("at", ["/manifests/", "/blobs/"])
@pytest.mark.parametrize("headers", ENDLESS.values(), ids=ENDLESS)
async def test_bodies_without_end(
    at: str, headers: dict[str, str], scripted: ScriptedRegistry, open_images: OpenImages
) -> None:
    """I7: no more is read than the bound, or than the descriptor promises."""
    sent = [0]

    async def pour(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": MANIFEST, **headers})
        await answer.prepare(request)
        try:
            while sent[0] < 256 << 20:
                await answer.write(bytes(1 << 20))
                sent[0] += 1 << 20
        except (OSError, ValueError):
            pass
        return answer

    name = scripted.add(TinyImage((SMALL,)))
    scripted.bend = faults.on(at, pour)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(StackerError):
        await open_images().ensure(name)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024
    assert sent[0] < 128 << 20


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
