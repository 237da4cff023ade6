"""A registry that refuses, hangs, truncates or lies: the right error, and nothing left behind."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from aiohttp import web

from stacker.base.errors import Corrupt, Denied, NotFound, StackerError, Unavailable, Unsupported
from stacker.drivers.images.images import Images
from stacker.oci.progress import PullProgress, PullState
from tests.integration.images.conftest import OpenImages
from tests.registries import faults
from tests.registries.made import MANIFEST, TinyImage, digest_of, folder, member, tar_of
from tests.registries.scripted import Bend, ScriptedRegistry

LAYERS = (
    tar_of(folder("etc"), member("etc/a", b"a" * 300_000)),
    tar_of(member("b", random.Random(1).randbytes(300_000))),
)

SPOILED = 10_000 if os.environ.get("STACKER_SOAK") == "1" else 100

FinalNames = Callable[[], set[str]]
MakeBend = Callable[[ScriptedRegistry], Bend]


def flip(data: bytes) -> bytes:
    """One bit, in the middle."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


FAULTS: dict[str, tuple[MakeBend, type[StackerError], str]] = {
    "denied": (lambda r: faults.on("/v2/web", faults.status(403)), Denied, "manifest: .*denies"),
    "not found": (lambda r: faults.on("/man", faults.status(404)), NotFound, "does not have it"),
    "in trouble": (lambda r: faults.on("/man", faults.status(503)), Unavailable, "in trouble"),
    "teapot": (lambda r: faults.on("/man", faults.status(418)), StackerError, r"\(418\)"),
    "busy for long": (
        lambda r: faults.on("/manifests/", faults.status(429, {"Retry-After": "3600"})),
        Unavailable,
        "limits our requests",
    ),
    "hangs at once": (lambda r: faults.hang(), Unavailable, "does not answer in time"),
    "hangs at layers": (lambda r: faults.on("/blobs/", faults.hang()), Unavailable, "in time"),
    "manifest changed": (
        lambda r: faults.on("/manifests/1", faults.changed(r, flip)),
        Corrupt,
        "manifest: ",
    ),
    "manifest endless": (
        lambda r: faults.on("/manifests/", faults.endless({"Content-Type": MANIFEST})),
        Corrupt,
        "more than 4194304 bytes",
    ),
    "manifest of another type": (
        lambda r: faults.on(
            "/manifests/",
            faults.changed(
                r,
                lambda data: data.replace(b"image.manifest", b"image.index"),
                kept=("Content-Type",),
            ),
        ),
        Corrupt,
        "types disagree",
    ),
    "manifest is a page": (
        lambda r: faults.on(
            "/manifests/", faults.changed(r, lambda data: b"<html>", kept=("Content-Type",))
        ),
        Corrupt,
        "not strict JSON",
    ),
    "bit flipped": (lambda r: faults.on("/blobs/", faults.changed(r, flip)), Corrupt, ""),
    "too short": (
        lambda r: faults.on("/blobs/", faults.changed(r, lambda data: data[:-1])),
        Corrupt,
        "bytes, not",
    ),
    "too long": (
        lambda r: faults.on("/blobs/", faults.changed(r, lambda data: data + b"x")),
        Corrupt,
        "bytes, not",
    ),
    "packed on the way": (
        lambda r: faults.on("/blobs/", faults.repacked(r)),
        Corrupt,
        "bytes, not|digest|gzip",
    ),
    "cut short": (lambda r: faults.on("/blobs/", faults.cut(r, 100)), Unavailable, "ended|broke"),
    "reset": (lambda r: faults.on("/blobs/", faults.cut(r, 0)), Unavailable, "broke|ended"),
    "cut short, with no length": (
        lambda r: faults.on("/blobs/", faults.unannounced(r, 100)),
        Unavailable,
        "ended after 300 of",
    ),
    "drips": (
        lambda r: faults.on("/blobs/", faults.drip(r, every_s=0.05)),
        Unavailable,
        "only .* bytes a second",
    ),
    "redirects for ever": (
        lambda r: faults.on("/blobs/", faults.redirect("/v2/web/blobs/again")),
        Denied,
        "redirects more than 5 times",
    ),
    "redirects to a file": (
        lambda r: faults.on("/blobs/", faults.redirect("file:///etc/passwd")),
        Denied,
        "no web address",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_fault(
    fault: str, scripted: ScriptedRegistry, images: Images, final_names: FinalNames
) -> None:
    make_bend, kind, text = FAULTS[fault]
    name = scripted.add(TinyImage(LAYERS))
    scripted.bend = make_bend(scripted)
    with anyio.fail_after(20), pytest.raises(kind, match=f"(?s)^pull {name}: .*{text}") as caught:
        await images.ensure(name)
    assert "\x1b" not in str(caught.value)
    assert await images.find(name) is None
    assert await images.list() == ()
    # what has been verified may stay; nothing else, and no image
    assert scripted.count("/blobs/") <= 4 * 3 * 2
    known = {digest.partition(":")[2] for digest in scripted.blobs}
    assert {found for found in final_names() if not found.endswith((".erofs", ".json"))} <= known

    scripted.bend = None
    assert len((await images.ensure(name)).layers) == 2


async def test_registry_that_is_not_there(scripted: ScriptedRegistry, images: Images) -> None:
    async with ScriptedRegistry() as gone:
        host = gone.host
    with pytest.raises(Unavailable, match=f"pull {host}/web:1: manifest: cannot reach {host}: "):
        await images.ensure(f"{host}/web:1")


def lying(image: TinyImage, change: Callable[[dict[str, object]], object]) -> TinyImage:
    """The image with a manifest that has been tampered with, though its digest is right."""
    document = json.loads(image.manifest)
    change(document)
    image.manifest = json.dumps(document).encode()
    return image


def wrong_diff_ids() -> TinyImage:
    """A config whose diff ids are those of other layers."""
    image, other = TinyImage(LAYERS), TinyImage((LAYERS[1], LAYERS[0]))
    image.blobs.update(other.blobs)
    entry = json.loads(other.manifest)["config"]
    return lying(image, lambda document: document.update(config=entry))


LIES: dict[str, tuple[Callable[[], TinyImage], type[StackerError], str]] = {
    "diff id": (wrong_diff_ids, Corrupt, "its content is .*, the config says"),
    "fewer layers than diff ids": (
        lambda: lying(TinyImage(LAYERS), lambda d: d["layers"].pop()),
        Corrupt,
        "lists 2 layers, the manifest 1",
    ),
    "layer size": (
        lambda: lying(TinyImage(LAYERS), lambda d: d["layers"][0].update(size=7)),
        Corrupt,
        "bytes, not 7",
    ),
    "negative size": (
        lambda: lying(TinyImage(LAYERS), lambda d: d["layers"][0].update(size=-1)),
        Corrupt,
        "size is negative",
    ),
    "digest with a path": (
        lambda: lying(TinyImage(LAYERS), lambda d: d["layers"][0].update(digest="sha256:../../x")),
        Corrupt,
        "is not a digest",
    ),
    "layer of an unknown type": (
        lambda: lying(TinyImage(LAYERS), lambda d: d["layers"][0].update(mediaType="a/b+xz")),
        Unsupported,
        "layer media type 'a/b",
    ),
    "layer packed otherwise than it says": (
        lambda: lying(
            TinyImage(LAYERS, packing="+zstd"),
            lambda d: d["layers"][0].update(
                mediaType=d["layers"][0]["mediaType"].replace("zstd", "gzip")
            ),
        ),
        Corrupt,
        "gzip",
    ),
    "an artifact": (
        lambda: lying(TinyImage(LAYERS), lambda d: d["config"].update(mediaType="text/plain")),
        Unsupported,
        "no image but 'text/plain'",
    ),
    "another platform": (
        lambda: TinyImage(LAYERS, platform=("linux", "s390x")),
        NotFound,
        "for linux/s390x, not for",
    ),
}


@pytest.mark.parametrize("lie", LIES)
async def test_lie(
    lie: str, scripted: ScriptedRegistry, images: Images, root: Path, final_names: FinalNames
) -> None:
    make, kind, text = LIES[lie]
    name = scripted.add(make())
    with pytest.raises(kind, match=f"^pull {name}: .*{text}"):
        await images.ensure(name)
    assert await images.list() == ()
    await images.collect()
    assert final_names() == set()
    assert not [path for path in (root / "partial").iterdir() if path.suffix == ".erofs"]


async def test_foreign_urls_are_not_followed(scripted: ScriptedRegistry, images: Images) -> None:
    """CVE-2020-15157: a layer's `urls` led to a server that got the registry's credentials."""
    async with ScriptedRegistry() as evil:
        image = lying(
            TinyImage(LAYERS),
            lambda d: d["layers"][0].update(
                urls=[f"http://{evil.host}/steal"],
                mediaType="application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            ),
        )
        await images.ensure(scripted.add(image))
        assert evil.seen == []


@pytest.mark.parametrize("code", [429, 500, 503])
async def test_tries_again(code: int, scripted: ScriptedRegistry, images: Images) -> None:
    name = scripted.add(TinyImage(LAYERS))
    bend = faults.status(code, {"Retry-After": "0"})
    scripted.bend = faults.on("/v2/web", bend, times=2)
    events: list[PullProgress] = []
    assert await images.ensure(name, progress=events.append)
    notes = [event.note for event in events if event.state is PullState.RETRYING]
    assert len(notes) == 2
    assert all(f"({code}" in note and "next try in" in note for note in notes)


async def test_resumes_where_it_was_cut(scripted: ScriptedRegistry, images: Images) -> None:
    name = scripted.add(image := TinyImage(LAYERS))
    large = image.layer_digests[1]
    scripted.bend = faults.on(large, faults.cut(scripted, 100_000), times=1)
    await images.ensure(name)
    ranges = [seen.headers.get("Range") for seen in scripted.seen if large in seen.path]
    assert ranges[0] is None
    assert re.fullmatch(r"bytes=\d+-", ranges[1] or "")
    assert len(ranges) == 2


async def test_resumes_in_another_life(
    scripted: ScriptedRegistry, open_images: OpenImages, root: Path
) -> None:
    name = scripted.add(image := TinyImage(LAYERS))
    large = image.layer_digests[1]
    scripted.bend = faults.on(large, faults.cut(scripted, 100_000), times=3)
    with pytest.raises(Unavailable):
        await open_images().ensure(name)
    left = [path for path in (root / "partial").iterdir() if large[7:] in path.name]
    assert len(left) == 1
    kept = left[0].stat().st_size
    assert kept > 0

    scripted.seen.clear()
    await open_images().ensure(name)
    ranges = [seen.headers.get("Range") for seen in scripted.seen if large in seen.path]
    assert ranges == [f"bytes={kept}-"]
    assert list((root / "partial").iterdir()) == []


async def test_another_range_than_was_asked_for(
    scripted: ScriptedRegistry, images: Images, root: Path
) -> None:
    """A 206 that starts elsewhere would splice foreign bytes in."""
    name = scripted.add(image := TinyImage(LAYERS))
    large = image.layer_digests[1]
    cut = faults.on(large, faults.cut(scripted, 100_000), times=1)

    async def bend(request: web.Request) -> web.StreamResponse | None:
        answer = await cut(request)
        if answer is None and large in request.path:
            data = scripted.blobs[large]
            place = f"bytes 5-{len(data) - 1}/{len(data)}"
            return web.Response(status=206, body=data[5:], headers={"Content-Range": place})
        return answer

    scripted.bend = bend
    with pytest.raises(Corrupt, match=r"asked for bytes .*, got 'bytes 5-"):
        await images.ensure(name)
    scripted.bend = None
    assert await images.ensure(name)


async def test_a_connection_that_breaks_again_and_again(
    scripted: ScriptedRegistry, images: Images
) -> None:
    """Each pull makes so many tries and no more; none fetches again what one before it has got."""
    name = scripted.add(image := TinyImage(LAYERS))
    large = image.layer_digests[1]
    scripted.bend = faults.on(large, faults.cut(scripted, 65_536))
    for pull in range(1, 4):
        try:
            await images.ensure(name)
        except Unavailable:
            assert scripted.count(large) == 3 * pull
        else:
            break
    asked = [seen.headers.get("Range", "bytes=0-") for seen in scripted.seen if large in seen.path]
    starts = [int(each.removeprefix("bytes=").removesuffix("-")) for each in asked]
    assert starts == [65_536 * number for number in range(len(starts))]
    assert len(starts) == 5


async def test_left_over_bytes_that_are_wrong(
    scripted: ScriptedRegistry, open_images: OpenImages, root: Path
) -> None:
    name = scripted.add(image := TinyImage(LAYERS))
    images = open_images()
    digest = image.layer_digests[1]
    (root / "partial" / f"{digest.replace(':', '-')}.blob").write_bytes(b"\x1f\x8brubbish" * 99)
    assert await images.ensure(name)


async def test_server_that_ignores_ranges(scripted: ScriptedRegistry, images: Images) -> None:
    name = scripted.add(image := TinyImage(LAYERS))
    large = image.layer_digests[1]
    cut = faults.on(large, faults.cut(scripted, 100_000), times=1)

    async def bend(request: web.Request) -> web.StreamResponse | None:
        answer = await cut(request)
        if answer is None and large in request.path:
            return web.Response(body=scripted.blobs[large])
        return answer

    scripted.bend = bend
    assert await images.ensure(name)


@pytest.mark.parametrize("at", ["/manifests/", "/blobs/"])
async def test_cancelled(
    at: str, scripted: ScriptedRegistry, images: Images, root: Path, final_names: FinalNames
) -> None:
    name = scripted.add(TinyImage(LAYERS))
    asked = anyio.Event()

    async def bend(request: web.Request) -> web.StreamResponse | None:
        if at in request.path:
            asked.set()
            await anyio.sleep_forever()
        return None

    scripted.bend = bend
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: images.ensure(name))
        with anyio.fail_after(5):
            await asked.wait()
        group.cancel_scope.cancel()
    assert final_names() == set()
    assert not [path for path in (root / "partial").iterdir() if path.suffix == ".erofs"]


async def test_a_moved_tag_keeps_the_old_image(scripted: ScriptedRegistry, images: Images) -> None:
    name = scripted.add(TinyImage(LAYERS[:1]))
    first = await images.ensure(name)
    scripted.add(TinyImage(LAYERS))
    assert (await images.ensure(name)).id == first.id
    second = await images.ensure(name, policy="always")
    assert len(second.layers) == 2
    old = await images.find(first.id)
    assert old is not None
    assert old.reference == f"{scripted.host}/web@{first.manifest_digest}"
    assert await images.find(old.reference) == old


@pytest.mark.soak
async def test_bits_flipped_anywhere(
    scripted: ScriptedRegistry, images: Images, final_names: FinalNames
) -> None:
    """C1 and I2: flipped bits, cuts and additions of the manifest and each blob: none accepted."""
    image = TinyImage((tar_of(member("a", b"a" * 2000)),))
    scripted.add(image)
    name = f"{scripted.host}/web@{image.digest}"
    chance = random.Random(20261123)
    honest = {**image.blobs, image.digest: image.manifest}
    for number in range(SPOILED):
        digest = chance.choice(sorted(honest))
        spoiled = spoil(honest[digest], chance)
        if digest == image.digest:
            scripted.manifests[digest] = (MANIFEST, spoiled)
        else:
            scripted.blobs[digest] = spoiled
        with pytest.raises((Corrupt, Unavailable)):
            await images.ensure(name)
        assert digest.removeprefix("sha256:") not in final_names(), number
        await images.collect()
        scripted.add(image)
    assert (await images.ensure(name)).manifest_digest == digest_of(image.manifest)


def spoil(data: bytes, chance: random.Random) -> bytes:
    """One bit flipped, the end cut off, or some bytes added."""
    spoiled = bytearray(data)
    kind = chance.randrange(3)
    if kind == 0:
        spoiled[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    elif kind == 1:
        del spoiled[chance.randrange(len(data)) :]
    else:
        spoiled += chance.randbytes(chance.randrange(1, 5))
    return bytes(spoiled)


async def test_cut_within_tls(behind_tls: tuple[ScriptedRegistry, Images]) -> None:
    """C3: the end of a connection is no end of a body, whether TLS has said goodbye or not."""
    home, images = behind_tls
    name = home.add(image := TinyImage(LAYERS))
    large = image.layer_digests[1]
    for cut in (faults.cut(home, 1000), faults.unannounced(home, 1000)):
        home.bend = faults.on(large, cut)
        with pytest.raises((Unavailable, Corrupt)):
            await images.ensure(name)
        assert await images.find(name) is None
    home.bend = faults.on(large, faults.cut(home, 100_000), times=1)
    assert await images.ensure(name)
