"""What a pull does not do: ask twice, ask too much at once, begin what cannot end, begin anew."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from aiohttp import web

from stacker.base.errors import NoSpace, Unavailable
from stacker.drivers.images.download import TOLD_EVERY_S
from stacker.drivers.images.images import Images
from stacker.drivers.images.registry.configuration import ConfigurationFile
from stacker.oci.progress import PullProgress, PullState
from tests.integration.images.conftest import OpenImages
from tests.registries import faults
from tests.registries.made import TinyImage, folder, member, tar_of
from tests.registries.scripted import ScriptedRegistry

IMAGE = TinyImage((tar_of(member("a", b"a" * 1000)), tar_of(member("b", b"b" * 1000))))


async def test_a_present_image_takes_one_request(
    scripted: ScriptedRegistry, images: Images
) -> None:
    name = scripted.add(IMAGE)
    first = await images.ensure(name)
    scripted.seen.clear()
    events: list[PullProgress] = []
    assert await images.ensure(name, policy="always", progress=events.append) == first
    assert [(seen.method, seen.path) for seen in scripted.seen] == [("HEAD", "/v2/web/manifests/1")]
    assert events[-1].state is PullState.PRESENT
    pinned = f"{scripted.host}/web@{IMAGE.digest}"
    assert await images.ensure(pinned, policy="always") == first
    assert len(scripted.seen) == 1  # what a digest names cannot have moved

    scripted.add(TinyImage(IMAGE.layers[:1]))
    assert await images.ensure(name, policy="always") != first
    scripted.bend = faults.on("/manifests/", faults.status(405), times=1)
    assert (await images.ensure(name, policy="always")).layers == first.layers[:1]


async def test_a_second_image_fetches_only_what_is_its_own(
    scripted: ScriptedRegistry, images: Images
) -> None:
    layers = tuple(tar_of(member(f"shared-{n}", b"s" * 1000)) for n in range(4))
    first = TinyImage((*layers, *IMAGE.layers))
    second = TinyImage((*layers, tar_of(member("own", b"o" * 1000))))
    here = await images.ensure(scripted.add(first))
    scripted.seen.clear()
    events: list[PullProgress] = []
    there = await images.ensure(scripted.add(second, tag="2"), progress=events.append)
    assert there.layers[:4] == here.layers[:4]
    asked = [seen.path for seen in scripted.seen if "/blobs/" in seen.path]
    config = json.loads(second.manifest)["config"]["digest"]
    own = second.layer_digests[4]
    assert sorted(asked) == sorted(f"/v2/web/blobs/{digest}" for digest in (config, own))
    ended = {event.layer: event.state for event in events if event.layer}
    assert [ended[digest] for digest in second.layer_digests] == [PullState.PRESENT] * 4 + [
        PullState.DONE
    ]


async def test_a_download_is_told_of_ten_times_a_second(
    scripted: ScriptedRegistry, images: Images
) -> None:
    """However small the pieces are in which it comes: each event costs its listeners."""
    name = scripted.add(
        image := TinyImage((tar_of(member("large", random.Random(4).randbytes(100_000))),))
    )
    digest = image.layer_digests[0]
    sent = 0

    async def crumbled(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        honest = scripted.honest(request)
        assert isinstance(honest.body, bytes)
        response = web.StreamResponse(headers=honest.headers)
        response.content_length = len(honest.body)
        await response.prepare(request)
        for start in range(0, len(honest.body), 300):
            await response.write(honest.body[start : start + 300])
            await anyio.sleep(0.001)
            sent += 1
        return response

    scripted.bend = faults.on(digest, crumbled)
    events: list[PullProgress] = []
    began = time.monotonic()
    await images.ensure(name, progress=events.append)
    took_s = time.monotonic() - began
    told = [e for e in events if e.layer == digest and e.state is PullState.DOWNLOADING]
    assert sent > 200
    assert 1 < len(told) <= took_s / TOLD_EVERY_S + 2


async def test_a_bound_on_what_is_asked_at_once(
    scripted: ScriptedRegistry, open_images: OpenImages, tmp_path: Path
) -> None:
    now = most = 0

    async def counted(request: web.Request) -> web.StreamResponse:
        nonlocal now, most
        now += 1
        most = max(most, now)
        # an honest answer takes no time here; this one takes as long as others want to join in
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        await anyio.sleep(0.005)
        now -= 1
        return scripted.honest(request)

    scripted.bend = faults.on("/blobs/", counted)
    names = []
    for number in range(6):
        layers = tuple(tar_of(member(f"{number}-{n}", b"x" * 100)) for n in range(4))
        names.append(scripted.add(TinyImage(layers), tag=f"t{number}"))
    file = tmp_path / "registries.toml"
    file.write_text(f'[registry."{scripted.host}"]\nrequests = 3\n')
    images = open_images(registries_file=ConfigurationFile(file))
    async with anyio.create_task_group() as group:
        for name in names:
            group.start_soon(images.ensure, name)
    assert most == 3


@pytest.mark.root
@pytest.mark.usefixtures("small_disk")
async def test_what_cannot_fit_is_not_begun(scripted: ScriptedRegistry, images: Images) -> None:
    large = tar_of(member("large", random.Random(2).randbytes(1_200_000)))
    name = scripted.add(image := TinyImage((large, IMAGE.layers[0])))
    with pytest.raises(NoSpace, match=r"pull .*: it needs at least 2\.\d+MiB, and 1\.\d+MiB are"):
        await images.ensure(name)
    for digest in image.layer_digests:
        assert not scripted.count(digest)
    assert await images.ensure(scripted.add(IMAGE, tag="small"))


@pytest.mark.root
async def test_what_turns_out_too_large_leaves_nothing(
    small_disk: Path, scripted: ScriptedRegistry, images: Images
) -> None:
    """Three MB of text that take a few thousand bytes on the way."""
    name = scripted.add(TinyImage((tar_of(member("large", b"stacker " * 400_000)),)))
    with pytest.raises(NoSpace, match=r"pull .*: layer .*no space left on device"):
        await images.ensure(name)
    assert not list((small_disk / "partial").iterdir())


async def test_the_user_hears_of_a_limit(scripted: ScriptedRegistry, images: Images) -> None:
    name = scripted.add(IMAGE)
    scripted.bend = faults.on("/manifests/", faults.status(429, {"Retry-After": "1"}), times=1)
    events: list[PullProgress] = []
    await images.ensure(name, progress=events.append)
    (note,) = [event.note for event in events if event.state is PullState.RETRYING]
    wish = r"limits our requests \(429\), and asks us to wait 1 s; next try in 1\.0 s"
    assert re.search(wish, note)
    scripted.bend = faults.status(429, {"Retry-After": "3600"})
    with pytest.raises(Unavailable, match=r"limits our requests .* asks us to wait 3600 s"):
        await images.ensure(name, policy="always")


PULL = """
import sys
from pathlib import Path

import anyio

from stacker.drivers.images.images import Images

anyio.run(Images(Path(sys.argv[1]), auth_files=()).ensure, sys.argv[2])
"""


def start_pull(root: Path, name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", PULL, str(root), name])


async def test_goes_on_after_kill_9(
    scripted: ScriptedRegistry, root: Path, open_images: OpenImages
) -> None:
    """The process that pulls is killed in the middle of a layer, several times over."""
    data = random.Random(3).randbytes(4_000_000)
    name = scripted.add(image := TinyImage((tar_of(folder("d"), member("d/large", data)),)))
    digest = image.layer_digests[0]
    partial = root / "partial" / f"{digest.replace(':', '-')}.blob"
    starts: list[int] = []

    async def slowly(request: web.Request) -> web.StreamResponse:
        honest = scripted.honest(request)
        assert isinstance(honest.body, bytes)
        start = len(image.blobs[digest]) - len(honest.body)
        starts.append(start)
        response = web.StreamResponse(status=honest.status, headers=honest.headers)
        response.content_length = len(honest.body)
        await response.prepare(request)
        await response.write(honest.body[:1_000_000])
        await anyio.sleep_forever()
        return response

    scripted.bend = faults.on(digest, slowly)
    size = 0
    for _ in range(3):
        process = start_pull(root, name)
        deadline = time.monotonic() + 20
        while not partial.exists() or partial.stat().st_size < size + 900_000:
            assert time.monotonic() < deadline
            assert process.poll() is None
            await anyio.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        await anyio.to_thread.run_sync(process.wait)
        size = partial.stat().st_size
    assert starts[0] == 0
    assert starts[1] >= 900_000
    assert starts[2] >= 1_800_000

    scripted.bend = None
    scripted.seen.clear()
    assert await open_images().ensure(name)
    ranges = [seen.headers.get("Range") for seen in scripted.seen if digest in seen.path]
    assert ranges == [f"bytes={size}-"]
    assert list((root / "partial").iterdir()) == []
