"""A process that makes a directory of a layer is killed: one message, nothing left, a next time."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from aiohttp import web

from stacker.base.errors import Failed
from stacker.drivers.images.images import Images
from stacker.oci.image import LayerFormat
from tests.integration.images.conftest import mounted_tree
from tests.registries import faults
from tests.registries.made import TinyImage, member, tar_of
from tests.registries.scripted import ScriptedRegistry
from tests.support.slowness import SLOWNESS

pytestmark = pytest.mark.root

CHANCE = random.Random(7)
FILES = tuple(member(f"f{n}", CHANCE.randbytes(20_000)) for n in range(200))
SMALL = tar_of(member("small", b"s" * 1000))


@pytest.fixture
def layer_format() -> LayerFormat:
    return LayerFormat.DIRECTORY


def children(pid: int | str = "self") -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(word) for task in tasks for word in task.read_text().split()]


def command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def workers() -> list[int]:
    """Those of this process that are making layers; each has one child, the maker."""
    found = children()
    return [pid for pid in found if b"directory.worker" in command(pid)]


def has_made_a_file(maker: int) -> bool:
    """Of the layer that is not small."""
    return any(Path(f"/proc/{maker}/cwd").rglob("f*"))


async def busy() -> tuple[int, int]:
    """A worker and its maker, in the middle of the layer."""
    with anyio.fail_after(20 * SLOWNESS):
        while True:
            for worker in workers():
                for maker in children(worker):
                    if has_made_a_file(maker):
                        return worker, maker
            await anyio.sleep(0.01)


def half_made(root: Path) -> list[Path]:
    return [path for path in (root / "partial").iterdir() if path.suffix != ".blob"]


@pytest.mark.parametrize("victim", ["maker", "worker"])
async def test_in_the_middle_of_a_pull(
    victim: str,
    scripted: ScriptedRegistry,
    images: Images,
    root: Path,
    tmp_path: Path,
    final_names: Callable[[], set[str]],
) -> None:
    name = scripted.add(image := TinyImage((tar_of(*FILES), SMALL)))
    large = image.layer_digests[0]

    async def in_halves(request: web.Request) -> web.StreamResponse:
        body = image.blobs[large]
        response = web.StreamResponse()
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        worker, maker = await busy()
        os.kill(maker if victim == "maker" else worker, signal.SIGKILL)
        await response.write(body[len(body) // 2 :])
        return response

    scripted.bend = faults.on(large, in_halves)
    with pytest.raises(Failed) as failed:
        await images.ensure(name)
    short = large.removeprefix("sha256:")[:12]
    assert failed.value.message == (
        f"pull {name}: layer {short}: make layer: its {victim} was killed by SIGKILL"
    )
    assert not workers()
    assert half_made(root) == []
    assert not any(path.startswith(short) for path in final_names())

    scripted.bend = None
    pulled = await images.ensure(name)
    tree = await mounted_tree(pulled, tmp_path)
    assert {f"f{n}" for n in range(200)} < set(tree)
    assert half_made(root) == []
