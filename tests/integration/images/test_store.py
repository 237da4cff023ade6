"""The store under fire: killed, full, corrupt, shared; it never shows half an image."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from stacker.base.errors import NoSpace, NotFound, StackerError
from stacker.drivers.images import catalog
from stacker.drivers.images.images import Images
from stacker.drivers.images.lookup import Lookup
from stacker.drivers.images.store import Store
from stacker.drivers.images.unpacked import discard
from stacker.oci import digest as digests
from stacker.oci.descriptor import Descriptor
from stacker.oci.image import LayerFormat
from tests.integration.images.conftest import OpenImages
from tests.registries import faults
from tests.registries.debian import DebianRegistry, run
from tests.registries.made import TinyImage, dependent_layers, member, tar_of
from tests.registries.scripted import ScriptedRegistry

ROUNDS = 100 if os.environ.get("STACKER_SOAK") == "1" else 4
SMALL = tar_of(member("small", b"s" * 10))
LARGE = tar_of(member("large", random.Random(2).randbytes(3_000_000)))


@pytest.fixture(params=list(LayerFormat), ids=lambda format: format.value)
def layer_format(request: pytest.FixtureRequest) -> LayerFormat:
    """Every test of this module is for both forms of layers."""
    return request.param


PULL_FOREVER = """
import sys
from pathlib import Path
import anyio
from stacker.drivers.images.images import Images
from stacker.oci.image import LayerFormat

async def main():
    form = LayerFormat(sys.argv[3])
    images = Images(Path(sys.argv[1]), auth_files=(), layer_format=form)
    print("ready", flush=True)
    while True:
        await images.ensure(sys.argv[2], policy="always")
        await images.settle()
        await images.remove(sys.argv[2])

anyio.run(main)
"""


@pytest.mark.soak
async def test_killed_at_any_moment(
    registry: DebianRegistry,
    layout: Path,
    root: Path,
    open_images: OpenImages,
    layer_format: LayerFormat,
) -> None:
    name = f"{registry.host}/killed:1"
    registry.skopeo(f"oci:{layout}:t", f"docker://{name}")
    chance = random.Random(7)
    for _ in range(ROUNDS):
        await anyio.to_thread.run_sync(
            _pull_and_kill, root, name, layer_format, chance.uniform(0, 0.4)
        )
        images = open_images()
        image = await images.find(name)
        assert image is None or len(image.layers) == 4
        _check_content(root)
    assert len((await images.ensure(name)).layers) == 4
    _check_content(root)


def _pull_and_kill(root: Path, name: str, format: LayerFormat, after_s: float) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", PULL_FOREVER, str(root), name, format.value],
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == b"ready\n"
        try:
            child.wait(after_s)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    # a worker sees the end of its archive, and ends
    while any(_is_in(pid, str(root)) for pid in os.listdir("/proc")):
        time.sleep(0.01)


def _is_in(pid: str, root: str) -> bool:
    """Whether another process has something below `root`: one that still starts, only a folder."""
    if not pid.isdigit() or int(pid) == os.getpid():
        return False
    try:
        held = [f"/proc/{pid}/fd/{fd}" for fd in os.listdir(f"/proc/{pid}/fd")]
    except OSError:
        return False
    return any(_target(path).startswith(root) for path in (f"/proc/{pid}/root", *held))


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


def _check_content(root: Path) -> None:
    """Every blob under a final name is what its name says; every layer has its record."""
    for blob in (root / "images/blobs/sha256").iterdir():
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    for layer in (root / "layers/sha256").iterdir():
        if layer.suffix == ".json":
            continue
        record = json.loads(layer.with_suffix(".json").read_bytes())
        assert record["diffId"] == f"sha256:{layer.stem}"
    json.loads((root / "images/index.json").read_bytes())
    assert all(path.suffix == ".blob" for path in (root / "partial").iterdir())


@pytest.mark.soak
async def test_power_lost_at_any_moment(
    registry: DebianRegistry,
    layout: Path,
    root: Path,
    open_images: OpenImages,
    layer_format: LayerFormat,
) -> None:
    """What was not synced may have any content afterwards, or be gone; names may be older ones."""
    name = f"{registry.host}/power:1"
    registry.skopeo(f"oci:{layout}:t", f"docker://{name}")
    chance = random.Random(11)
    for boot in range(ROUNDS):
        await anyio.to_thread.run_sync(
            _pull_and_kill, root, name, layer_format, chance.uniform(0, 0.4)
        )
        await anyio.to_thread.run_sync(_lose, root, chance)
        images = open_images(boot_id=f"boot {boot}")
        image = await images.find(name)
        assert image is None or len(image.layers) == 4
        await anyio.to_thread.run_sync(_check_content, root)
        assert len((await images.ensure(name)).layers) == 4
        await images.remove(name)


def _lose(root: Path, chance: random.Random) -> None:
    marks = sorted((root / "unsynced").iterdir())
    for path in [root / mark.name.replace("=", "/") for mark in marks]:
        kind = chance.choice(("kept", "zeros", "cut", "gone"))
        if not path.exists() or kind == "kept":
            continue
        if path.is_dir():
            discard(path / "etc")  # some of its files
        elif kind == "gone":
            path.unlink()
        else:
            size = path.stat().st_size
            os.truncate(path, 0)
            os.truncate(path, size if kind == "zeros" else size // 2)
    index = root / "images/index.json"
    if chance.random() < 0.3 and index.exists():
        os.truncate(index, 0)


@pytest.mark.root
async def test_full_disk(
    small_disk: Path,
    scripted: ScriptedRegistry,
    open_images: OpenImages,
    final_names: Callable[[], set[str]],
) -> None:
    name = scripted.add(TinyImage((SMALL, LARGE), packing=""), tag="large")
    images = open_images()
    with pytest.raises(NoSpace, match=rf"pull {name}: it needs at least 5\.\d+MiB, and 1\.\d+MiB"):
        await images.ensure(name)
    assert await images.list() == ()
    assert not list((small_disk / "partial").iterdir())
    await images.collect()
    assert final_names() == set()

    file = small_disk.parent / "large.tar"
    file.write_bytes(LARGE)
    for attempt in (images.load(file), images.import_tar(file, reference="a:1")):
        with pytest.raises(NoSpace):
            await attempt
        assert not list((small_disk / "partial").iterdir())

    small = scripted.add(TinyImage((SMALL,)), tag="small")
    assert await images.ensure(small)


async def test_a_layer_that_vanishes_is_made_again(
    scripted: ScriptedRegistry, images: Images
) -> None:
    name = scripted.add(TinyImage((SMALL, LARGE)))
    image = await images.ensure(name)
    for policy in ("never", "missing", "always"):
        discard(Path(image.layers[1].path))
        assert await images.find(name) is None
        scripted.seen.clear()
        assert await images.ensure(name, policy=policy) == image
        assert not scripted.count("/blobs/")  # the compressed bytes were still here
        assert policy == "always" or not scripted.seen


async def test_a_damaged_blob_is_fetched_again(
    scripted: ScriptedRegistry, images: Images, root: Path
) -> None:
    made = TinyImage((SMALL, LARGE))
    name = scripted.add(made)
    image = await images.ensure(name)
    discard(Path(image.layers[1].path))
    _damage(root / "images/blobs/sha256" / made.layer_digests[1][7:])
    assert await images.ensure(name) == image
    assert scripted.count(made.layer_digests[1]) == 2


def _damage(file: Path) -> None:
    with open(file, "r+b") as blob:
        blob.seek(1000)
        blob.write(b"damage")


async def test_the_form_of_layers_may_change(
    scripted: ScriptedRegistry, open_images: OpenImages, layer_format: LayerFormat
) -> None:
    """EROFS files are of no use where they cannot be mounted; directories are everywhere."""
    name = scripted.add(TinyImage(dependent_layers()))
    before = await open_images().ensure(name)
    (other,) = set(LayerFormat) - {layer_format}
    images = open_images(layer_format=other)
    scripted.seen.clear()
    after = await images.ensure(name)
    assert not scripted.seen
    assert len(after.layers) == len(before.layers) == 3
    assert {layer.format for layer in after.layers} == {LayerFormat.DIRECTORY}
    for each in (before, after):
        assert all(map(os.path.exists, (layer.path for layer in each.layers)))
    await images.remove(name)
    assert not any(map(os.path.exists, (layer.path for layer in (*before.layers, *after.layers))))


async def test_corrupt_index_is_set_aside(
    scripted: ScriptedRegistry, open_images: OpenImages, root: Path
) -> None:
    name = scripted.add(TinyImage((SMALL,)))
    image = await open_images().ensure(name)
    await open_images().settle()
    index = root / "images/index.json"
    for damage in (b"", b"{", b'{"manifests": 3}', b"\0" * 500):
        index.write_bytes(damage)
        images = open_images()
        assert await images.find(name) == image
        (warning,) = images.take_warnings()
        assert "1 images taken from its copy" in warning
        assert index.with_name("index.json.corrupt").read_bytes() == damage
    index.unlink()
    assert await open_images().find(name) == image


async def test_other_tools_write_the_layout_too(
    scripted: ScriptedRegistry, images: Images, layout: Path, root: Path
) -> None:
    name = scripted.add(TinyImage((SMALL,)))
    await images.ensure(name)
    run("skopeo", "copy", "-q", f"oci:{layout}:t", f"oci:{root}/images:docker.io/library/theirs:1")
    assert await images.find(name)
    assert await images.find("theirs:1") is None  # its layers have not been made
    scripted.add(TinyImage((SMALL, LARGE)))
    await images.ensure(name, policy="always")
    tags = set(run("umoci", "ls", "--layout", f"{root}/images").decode().split())
    assert {"docker.io/library/theirs:1", name} <= tags
    await images.collect()  # what theirs needs stays
    run("skopeo", "copy", "-q", f"oci:{root}/images:docker.io/library/theirs:1", f"dir:{root}/out")


async def test_removing_keeps_what_others_need(
    scripted: ScriptedRegistry, images: Images, final_names: Callable[[], set[str]]
) -> None:
    one = scripted.add(TinyImage((SMALL, LARGE)), tag="one")
    two = scripted.add(TinyImage((SMALL,), config={"User": "two"}), tag="two")
    same = scripted.add(TinyImage((SMALL,), config={"User": "two"}), tag="same")
    for name in (one, two, same):
        await images.ensure(name)
    removed = await images.remove(one)
    assert removed.size_bytes > 3_000_000
    kept = await images.find(two)
    assert kept is not None
    await images.remove(same)
    assert await images.find(two) == kept
    await images.remove(kept.id[7:])
    assert final_names() == set()
    with pytest.raises(NotFound, match="not here"):
        await images.remove(two)


async def test_collecting_leaves_a_running_pull_alone(
    scripted: ScriptedRegistry, images: Images
) -> None:
    image = TinyImage((SMALL, LARGE))
    name = scripted.add(image)
    reached, go_on = anyio.Event(), anyio.Event()

    async def wait(request: object) -> None:
        reached.set()
        await go_on.wait()

    scripted.bend = faults.on(image.layer_digests[1], wait)  # type: ignore[arg-type]
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: images.ensure(name))
        await reached.wait()
        await images.collect()
        go_on.set()
    found = await images.find(name)
    assert found is not None
    assert len(found.layers) == 2


async def test_the_second_pull_goes_on_when_the_first_is_cancelled(
    scripted: ScriptedRegistry, images: Images
) -> None:
    image = TinyImage((LARGE,))
    one, two = scripted.add(image, tag="one"), scripted.add(image, tag="two")
    reached = anyio.Event()

    async def wait(request: object) -> None:
        reached.set()
        await anyio.sleep_forever()

    scripted.bend = faults.on(image.layer_digests[0], wait, times=1)  # type: ignore[arg-type]
    async with anyio.create_task_group() as group, anyio.create_task_group() as first:
        first.start_soon(lambda: images.ensure(one))
        await reached.wait()
        group.start_soon(lambda: images.ensure(two))
        first.cancel_scope.cancel()
    assert await images.find(one) is None
    assert await images.find(two)


async def test_what_is_visible_becomes_durable(
    scripted: ScriptedRegistry, open_images: OpenImages, root: Path
) -> None:
    name = scripted.add(TinyImage((SMALL,)))
    async with open_images(boot_id="one") as images:
        image = await images.ensure(name)
    assert list((root / "unsynced").iterdir()) == []
    after = open_images(boot_id="two")
    assert after.take_warnings() == ()
    assert await after.find(name) == image

    with anyio.move_on_after(10) as scope:
        async with open_images(boot_id="one") as images:
            other = scripted.add(TinyImage((LARGE,)), tag="two")
            await images.ensure(other)
            scope.cancel()
    assert list((root / "unsynced").iterdir()) == []

    # killed before it could settle, on the same boot: the next life does it
    scripted.add(TinyImage((SMALL, LARGE)))
    await open_images(boot_id="two").ensure(name, policy="always")
    async with open_images(boot_id="two"):
        pass
    assert await open_images(boot_id="three").find(name)


async def test_partial_blobs_are_kept_for_a_week(open_images: OpenImages, root: Path) -> None:
    open_images()
    digest = "a" * 64
    young, old = root / f"partial/sha256-{digest}.blob", root / f"partial/sha512-{digest}.blob"
    half_made = [root / "partial" / name for name in ("import-1.blob", "x.erofs", "load-1")]
    for file in (young, old, *half_made[:2]):
        file.write_bytes(b"half")
    half_made[2].mkdir()
    os.utime(old, (0, 0))
    open_images()
    assert list((root / "partial").iterdir()) == [young]


async def test_folders_are_private(images: Images, root: Path) -> None:
    for folder in (root, root / "images", root / "layers", root / "images/blobs/sha256"):
        assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["", "UPPER", "a b", "a@sha256:1", "a:b:c", "../x", "a" * 700])
async def test_bad_names(name: str, images: Images) -> None:
    with pytest.raises(StackerError, match=r"not an image reference|not a digest"):
        await images.ensure(name)


class _Overtaken(Lookup):
    """Another thread finds the name after it has moved, while this one still reads."""

    def __init__(self, store: Store, moved: Descriptor) -> None:
        super().__init__(store)
        self._move: Descriptor | None = moved
        self._its_store = store

    def _matches(self, text: str) -> list[Descriptor]:
        found = super()._matches(text)
        if self._move is not None:
            moved, self._move = self._move, None
            self._its_store.name(moved)
            self.find("another")
        return found


async def test_a_look_that_was_overtaken_is_not_remembered(images: Images, root: Path) -> None:
    """A name that has moved would stand for its old image until the next change."""
    for name, change in (("a.io/x:1", "CMD old"), ("a.io/x:2", "CMD new")):
        await images.import_tar(_empty_tar(root.parent), reference=name, changes=[change])
    store = Store(root)
    _, new = store.catalog.entries()
    annotations = {**new.annotations, catalog.REF_NAME: "a.io/x:1"}
    lookup = _Overtaken(store, dataclasses.replace(new, annotations=annotations))
    lookup.find("a.io/x:1")
    answers = (lookup.cached("a.io/x:1"), lookup.find("a.io/x:1"))
    assert [image.manifest_digest for image in answers if image] == [str(new.digest)]


def _empty_tar(folder: Path) -> Path:
    path = folder / "empty.tar"
    tarfile.open(path, "w").close()
    return path


def test_a_document_may_be_kept_by_many_at_once(root: Path) -> None:
    """Threads of several pulls that end with the same manifest."""
    store = Store(root)
    with ThreadPoolExecutor(8) as threads:
        for number in range(200):
            data = b"%d" % number * 1000
            digest = digests.of(data)
            kept = [threads.submit(store.add_document, data, digest) for _ in range(8)]
            for each in kept:
                each.result()
            assert store.places.blob(digest).read_bytes() == data
    assert list(store.places.partial.iterdir()) == []
