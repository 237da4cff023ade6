"""Containers on every form of layers: files mounted as they can be here, and directories."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from stacker.daemon.claim import claim
from stacker.daemon.settings import Settings
from stacker.daemon.wiring import running_engine
from stacker.engine import keep_room
from stacker.oci import pull_policy
from stacker.oci.usage import Retention
from stacker.plan.declaration import Declaration
from tests.registries.made import TinyImage, member, tar_of
from tests.registries.scripted import ScriptedRegistry
from tests.scenarios.conftest import a_stacker
from tests.support.slowness import SLOWNESS
from tests.support.supervisor import IMAGE, Stacker, eventually

pytestmark = pytest.mark.root

STACK = f"""
name: layered
services:
  web:
    image: {IMAGE}
    network_mode: none
    command: [sh, -c, "echo written > /file; rm /bin/vi; exec sleep 1000"]
"""


def works(stacker: Stacker, form: str) -> None:
    """A container runs, writes, and comes back after a supervisor that died."""
    stacker.up(STACK)
    assert stacker.json("info")["layers"].startswith(form)

    def inside(*command: str) -> str:
        return stacker.ok("exec", "-T", "-p", "layered", "web", *command)

    eventually(lambda: inside("ls", "/file"), what="the file")
    assert inside("cat", "/file") == "written\n"
    assert "vi" not in inside("ls", "/bin").split()
    stacker.ok("restart", "-t", "0", "-p", "layered")
    assert inside("cat", "/file") == "written\n"


def test_as_this_host_can(stacker: Stacker) -> None:
    works(stacker, "erofs (")
    seals = stacker.json("info")["seals"]
    assert seals == "fs-verity" or re.fullmatch(r"none \(.+\)", seals)
    unsynced = stacker.root / "unsynced"
    eventually(lambda: not any(unsynced.iterdir()), what="layers that are on the disk")
    assert bool(list(stacker.root.glob("layers/sha256/*.verity"))) == (seals == "fs-verity")


def test_directories(busybox_tar: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STACKER_LAYERS", "directory")
    with a_stacker(busybox_tar) as stacker:
        works(stacker, "directory (chosen)")
        assert stacker.json("info")["seals"] == "none (only files can be sealed)"
        (layer,) = (stacker.root / "layers/sha256").glob("*.dir")
        assert (layer / "bin/vi").exists(), "a container has changed its layer"
        stacker.ok("down", "-t", "0", "-p", "layered")
        # whoever looks into an image goes on seeing it, whatever becomes of its name
        place = Path(stacker.ok("image", "mount", IMAGE).strip())
        stacker.ok("image", "rm", IMAGE)
        assert (place / "bin/vi").exists()
        stacker.ok("image", "unmount", str(place))
        stacker.ok("prune")
        assert not layer.exists()


def test_a_form_that_does_not_exist(tmp_path: Path) -> None:
    stacker = Stacker(directory=tmp_path)
    done = stacker("daemon", "--layers", "zip")
    assert done.returncode == 64
    assert "--layers" in done.stderr


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A unix socket's path has no room for more than 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="sk-", dir="/tmp") as path:
        yield Path(path)


async def test_compressed_layers_go_by_themselves(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any image, and though a container's image is among them; an event says so."""
    monkeypatch.setattr(keep_room, "EVERY_S", 0.05)
    room = replace(keep_room.RETENTION, full_at=0.0, until=0.0)
    monkeypatch.setattr(keep_room, "RETENTION", Retention())
    settings = Settings(root=short_path / "root", run=short_path / "run")
    claimed = claim(settings, group_id=None)
    async with ScriptedRegistry() as registry, running_engine(settings) as engine:
        name = registry.add(image := TinyImage((tar_of(member("file", b"content" * 1000)),)))
        await engine.registries.pull_images(
            [name], platform=None, policy=pull_policy.parse("missing")
        )
        blob = short_path / "root/images/blobs" / image.layer_digests[0].replace(":", "/")
        assert blob.exists()
        monkeypatch.setattr(keep_room, "RETENTION", room)
        with anyio.fail_after(20 * SLOWNESS):
            async for event in engine.events(since=0, follow=True):
                if event.kind == "image.dropped":
                    break
        assert not blob.exists()
        assert event.message.startswith("1 compressed layers (")
        assert event.message.endswith("% full; push and save fetch them again")
        assert event.attributes["blobs"] == 1
    del claimed


async def test_what_nothing_uses_goes_by_itself(
    busybox_tar: Path, short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In use: by the name in the declaration, and by the id a container was made from."""
    monkeypatch.setattr(keep_room, "EVERY_S", 0.05)
    monkeypatch.setattr(keep_room, "RETENTION", Retention())
    settings = Settings(root=short_path / "root", run=short_path / "run")
    claimed = claim(settings, group_id=None)
    file = short_path / "stack.yaml"
    file.write_text(STACK)
    async with running_engine(settings) as engine:
        image = await engine.images.import_image(str(busybox_tar), reference=IMAGE, changes=())
        unused = await engine.images.import_image(
            str(busybox_tar), reference="unused:1", changes=("CMD other",)
        )
        outcome = await engine.up(Declaration(files=(str(file),), working_dir=str(short_path)))
        done = await engine.wait(outcome.stack, outcome.generation, healthy=False)
        assert done.ok, done.problems
        assert engine.images_in_use() == {image.id, f"docker.io/{IMAGE}"}
        monkeypatch.setattr(keep_room, "RETENTION", Retention(unused_for_s=0.0))
        with anyio.fail_after(20 * SLOWNESS):
            while unused in await engine.images.list():
                await anyio.sleep(0.05)
            assert image in await engine.images.list()
            await engine.down(outcome.stack, volumes=True, timeout_s=0)
            removed = 0
            async for event in engine.events(since=0, follow=True):
                removed += event.kind == "image.removed"
                if removed == 2:
                    break
            assert not await engine.images.list()
    del claimed
