"""Registries that fail, refuse or deceive while something is pushed to them."""

from __future__ import annotations

import random
from pathlib import Path

import anyio
import pytest
from aiohttp import web

from stacker.base.errors import Corrupt, Denied, Failed, StackerError, Unavailable
from stacker.drivers.images.images import Images
from stacker.oci.progress import PushProgress, PushState
from tests.integration.images.conftest import OpenImages
from tests.registries import faults
from tests.registries.debian import PASSWORD
from tests.registries.made import TinyImage, member, tar_of
from tests.registries.scripted import Bend, ScriptedRegistry
from tests.support.auth import auth_file, received

SIZE = 900_000
IMAGE = TinyImage((tar_of(member("b", random.Random(4).randbytes(SIZE))),))
CHUNK = 100_000


@pytest.fixture
async def here(images: Images) -> str:
    """The image, in the store; the registry it came from has gone."""
    async with ScriptedRegistry() as origin:
        name = origin.add(IMAGE)
        await images.ensure(name)
    return name


def of_method(method: str, bend: Bend) -> Bend:
    async def bent(request: web.Request) -> web.StreamResponse | None:
        return await bend(request) if request.method == method else None

    return bent


async def broken_after_reading(request: web.Request) -> web.StreamResponse:
    """Take part of what is sent, and break the connection."""
    await request.content.readexactly(10_000)
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def test_goes_on_where_the_registry_has_come_to(
    scripted: ScriptedRegistry, here: str, open_images: OpenImages
) -> None:
    chunks = 0

    async def third_breaks(request: web.Request) -> web.StreamResponse | None:
        nonlocal chunks
        chunks += 1
        return await broken_after_reading(request) if chunks == 3 else None

    scripted.bend = of_method("PATCH", third_breaks)
    events: list[PushProgress] = []
    target = f"{scripted.host}/pushed:1"
    await open_images(upload_chunk=CHUNK).push(here, target=target, progress=events.append)
    assert scripted.shelves.by_name["pushed"].manifest("1") is not None
    ranges = [seen.headers["Content-Range"] for seen in scripted.seen if seen.method == "PATCH"]
    assert ranges[2] == ranges[3] == "200000-299999"
    assert len(ranges) == 11
    notes = [event.note for event in events if event.state is PushState.RETRYING]
    assert len(notes) == 1
    assert "next try in" in notes[0]


async def test_begins_again_when_the_upload_is_forgotten(
    scripted: ScriptedRegistry, here: str, open_images: OpenImages
) -> None:
    async def forget(request: web.Request) -> web.StreamResponse:
        scripted.shelves.uploads.clear()
        return await broken_after_reading(request)

    scripted.bend = faults.on("/blobs/uploads/", of_method("PATCH", forget), times=4)
    await open_images(upload_chunk=CHUNK).push(here, target=f"{scripted.host}/pushed:1")
    assert scripted.shelves.by_name["pushed"].manifest("1") is not None


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
@pytest.mark.parametrize("trouble", ["asks again", "breaks"])
async def test_a_copy_whose_target_has_trouble(
    trouble: str,
    ranges: bool,
    scripted: ScriptedRegistry,
    open_images: OpenImages,
    tmp_path: Path,
) -> None:
    """What has been read of the source by then must be read once more, and nothing else."""
    large = IMAGE.layer_digests[0]
    chunks = 0

    async def third(request: web.Request) -> web.StreamResponse | None:
        nonlocal chunks
        chunks += 1
        if chunks != 3:
            return None
        if trouble == "breaks":
            return await broken_after_reading(request)
        await request.read()
        return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})

    async def whole(request: web.Request) -> web.StreamResponse:
        return web.Response(body=IMAGE.blobs[large])

    async with ScriptedRegistry() as source:
        name = source.add(IMAGE)
        source.bend = None if ranges else faults.on(large, whole)
        scripted.bend = of_method("PATCH", third)
        login = auth_file(tmp_path, scripted.host)
        remote = open_images(upload_chunk=CHUNK, auth_files=[login]).remote
        await remote.copy(name, f"{scripted.host}/pushed:1")
        asked = [seen.headers.get("Range") for seen in source.seen if large in seen.path]
        assert asked == [None, "bytes=200000-"]
    assert scripted.shelves.by_name["pushed"].blobs[large] == IMAGE.blobs[large]


async def test_a_copy_whose_source_breaks_off(
    scripted: ScriptedRegistry, open_images: OpenImages
) -> None:
    large = IMAGE.layer_digests[0]
    async with ScriptedRegistry() as source:
        name = source.add(IMAGE)
        source.bend = faults.on(large, faults.cut(source, 250_000), times=2)
        remote = open_images(upload_chunk=CHUNK).remote
        await remote.copy(name, f"{scripted.host}/pushed:1")
        asked = [
            int(seen.headers.get("Range", "bytes=0-")[len("bytes=") : -1])
            for seen in source.seen
            if large in seen.path
        ]
        # whole chunks only have been kept, of what had come through when the connection broke
        assert len(asked) == len(set(asked)) == 3
        assert asked == sorted(asked)
        assert not any(start % CHUNK for start in asked)

        source.blobs[large] = bytes(SIZE)
        with pytest.raises(StackerError, match=f"copy .*: blob {large[7:19]}: "):
            await remote.copy(name, f"{scripted.host}/other:1")
        assert "other" not in scripted.shelves.by_name or not scripted.shelves.by_name["other"].tags


@pytest.mark.parametrize("code", [400, 401, 403, 404, 405])
async def test_a_mount_that_is_refused(
    code: int, scripted: ScriptedRegistry, here: str, open_images: OpenImages, tmp_path: Path
) -> None:
    """Who may write here need not be allowed to read there: the blob is sent."""
    refusal = faults.status(code, {"WWW-Authenticate": 'Basic realm="x"'})

    async def mounting(request: web.Request) -> web.StreamResponse | None:
        return await refusal(request) if "mount" in request.query else None

    images = open_images(auth_files=[auth_file(tmp_path, scripted.host)])
    first = f"{scripted.host}/first:1"
    await images.push(here, target=first)
    await images.ensure(first)
    scripted.bend = mounting
    sent = await images.push(first, target=f"{scripted.host}/pushed:1")
    assert (sent.blobs_sent, sent.blobs_mounted) == (2, 0)
    assert scripted.shelves.by_name["pushed"].blobs.keys() >= set(IMAGE.layer_digests)


async def test_a_registry_that_takes_small_bodies_only(
    scripted: ScriptedRegistry, here: str, open_images: OpenImages
) -> None:
    scripted.shelves.largest_body = 2 * CHUNK
    await open_images(upload_chunk=SIZE * 2).push(here, target=f"{scripted.host}/pushed:1")
    assert any(seen.method == "PATCH" for seen in scripted.seen)


@pytest.mark.parametrize("chunk", [CHUNK, SIZE * 2], ids=["chunked", "whole"])
async def test_a_registry_that_takes_its_time_at_the_end(
    chunk: int, scripted: ScriptedRegistry, here: str, open_images: OpenImages
) -> None:
    """As those on object stores do; longer than they may take for anything else."""

    async def late(request: web.Request) -> web.StreamResponse | None:
        await request.read()
        await anyio.sleep(0.8)
        return None

    scripted.bend = faults.on("/blobs/uploads/", of_method("PUT", late))
    events: list[PushProgress] = []
    images = open_images(upload_chunk=chunk)
    await images.push(here, target=f"{scripted.host}/pushed:1", progress=events.append)
    assert not [event for event in events if event.state is PushState.RETRYING]


async def test_a_registry_that_takes_no_chunks(
    scripted: ScriptedRegistry, here: str, open_images: OpenImages
) -> None:
    scripted.bend = of_method("PATCH", faults.status(405))
    await open_images(upload_chunk=CHUNK).push(here, target=f"{scripted.host}/pushed:1")
    assert sum(seen.method == "PATCH" for seen in scripted.seen) == 1


async def stops_reading(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.pause_reading()
    await anyio.sleep_forever()
    raise AssertionError


FAULTS: dict[str, tuple[Bend, type[StackerError], str]] = {
    "takes nothing": (of_method("PUT", stops_reading), Unavailable, "takes nothing|in time"),
    "no answer": (of_method("PUT", faults.hang()), Unavailable, "in time|takes nothing"),
    "in trouble": (of_method("POST", faults.status(503)), Unavailable, "in trouble"),
    "denies": (of_method("POST", faults.status(403)), Denied, "denies access"),
    "busy for long": (
        of_method("POST", faults.status(429, {"Retry-After": "3600"})),
        Unavailable,
        r"limits our requests .*\(429",
    ),
    "no place": (of_method("POST", faults.status(202)), Corrupt, "does not say where to go on"),
    "manifest refused": (
        faults.on("/manifests/", of_method("PUT", faults.status(400))),
        Failed,
        "manifest .*answers",
    ),
    "another digest": (
        faults.on(
            "/manifests/",
            of_method("PUT", faults.status(201, {"Docker-Content-Digest": "sha256:" + "0" * 64})),
        ),
        Corrupt,
        "which was not sent",
    ),
    "counts wrongly": (
        of_method("PATCH", faults.status(202, {"Location": "/x", "Range": "0-99999999"})),
        Corrupt,
        "says '0-99999999'",
    ),
    "keeps nothing": (
        of_method("PATCH", faults.status(202, {"Location": "/v2/x", "Range": "0-0"})),
        Unavailable,
        "keeps nothing",
    ),
}
CHUNKED = ("counts wrongly", "keeps nothing")


@pytest.mark.parametrize("fault", FAULTS)
async def test_fault(
    fault: str, scripted: ScriptedRegistry, here: str, open_images: OpenImages
) -> None:
    bend, kind, text = FAULTS[fault]
    scripted.bend = bend
    chunk = CHUNK if fault in CHUNKED else SIZE * 2
    name = f"{scripted.host}/pushed:1"
    with anyio.fail_after(20), pytest.raises(kind, match=f"(?s)^push {name}: .*({text})") as caught:
        await open_images(upload_chunk=chunk).push(here, target=name)
    assert "\x1b" not in str(caught.value)
    assert "pushed" not in scripted.shelves.by_name or not scripted.shelves.by_name["pushed"].tags


async def test_cancelled(scripted: ScriptedRegistry, here: str, images: Images) -> None:
    asked = anyio.Event()

    async def wait(request: web.Request) -> web.StreamResponse:
        asked.set()
        await anyio.sleep_forever()
        raise AssertionError

    scripted.bend = of_method("PUT", wait)
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: images.push(here, target=f"{scripted.host}/pushed:1"))
        with anyio.fail_after(5):
            await asked.wait()
        group.cancel_scope.cancel()
    assert "pushed" not in scripted.shelves.by_name


def elsewhere(host: str, method: str, code: int) -> Bend:
    """Send uploads to another host: by the address of the session, or by a redirect."""

    async def bent(request: web.Request) -> web.StreamResponse | None:
        if request.method != method or "/blobs/uploads/" not in request.path:
            return None
        await request.read()
        location = f"http://{host}/v2/stolen/blobs/uploads/"
        if code == 202:
            location += "00000000-0000-0000-0000-000000000000"
        return web.Response(status=code, headers={"Location": location})

    return bent


@pytest.mark.parametrize(
    ("method", "code"),
    [("POST", 202), ("POST", 307), ("POST", 308), ("PATCH", 202), ("PATCH", 307), ("PUT", 307)],
)
@pytest.mark.parametrize("greedy", [False, True], ids=["takes it", "asks for a password"])
async def test_another_host_gets_no_credentials(
    greedy: bool,
    method: str,
    code: int,
    scripted: ScriptedRegistry,
    here: str,
    open_images: OpenImages,
    tmp_path: Path,
) -> None:
    """Uploads may go elsewhere, as they do to object stores; credentials may not."""
    async with ScriptedRegistry() as evil:
        evil.shelves.uploads["00000000-0000-0000-0000-000000000000"] = bytearray()
        if greedy:
            evil.bend = faults.status(401, {"WWW-Authenticate": 'Basic realm="give"'})
        away = elsewhere(evil.host, method, code)
        scripted.bend = demanding(away)
        images = open_images(auth_files=[auth_file(tmp_path, scripted.host)], upload_chunk=CHUNK)
        with pytest.raises(StackerError) as refused:
            await images.push(here, target=f"{scripted.host}/pushed:1")
        assert PASSWORD not in str(refused.value)
        assert evil.seen
        assert not received(evil)
        assert received(scripted)


@pytest.mark.parametrize("location", ["file:///etc/x", "http://a:b@{evil}/x", "//", "http://"])
async def test_places_that_are_none(
    location: str, scripted: ScriptedRegistry, here: str, images: Images
) -> None:
    async with ScriptedRegistry() as evil:
        headers = {"Location": location.format(evil=evil.host)}
        scripted.bend = of_method("POST", faults.status(202, headers))
        with pytest.raises(StackerError):
            await images.push(here, target=f"{scripted.host}/pushed:1")
        assert evil.seen == []


async def test_a_list_that_goes_on_elsewhere(scripted: ScriptedRegistry, images: Images) -> None:
    async with ScriptedRegistry() as evil:
        link = {"Link": f'<http://{evil.host}/v2/web/tags/list?last=a>; rel="next"'}

        async def page(request: web.Request) -> web.StreamResponse:
            return web.json_response({"tags": ["a"]}, headers=link)

        scripted.bend = faults.on("/tags/list", page)
        with pytest.raises(Denied, match="continues its list at"):
            await images.remote.tags(f"{scripted.host}/web")
        assert evil.seen == []

        link = {"Link": '</v2/web/tags/list?last=a>; rel="next"'}
        with pytest.raises(Corrupt, match="has no end"):
            await images.remote.tags(f"{scripted.host}/web")
        assert len(scripted.seen) < 10


def demanding(then: Bend) -> Bend:
    async def bent(request: web.Request) -> web.StreamResponse | None:
        if "Authorization" not in request.headers:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        return await then(request)

    return faults.on("/v2/pushed", bent)
