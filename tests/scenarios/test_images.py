"""`stacker image …`, as a user types it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.registries.debian import run
from tests.scenarios.conftest import a_stacker
from tests.support.supervisor import IMAGE, Stacker

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def stacker(busybox_tar: Path) -> Iterator[Stacker]:
    with a_stacker(busybox_tar) as made:
        yield made


STACK = f"""
name: used
services:
  web: {{image: "{IMAGE}", command: [sleep, "1000"], network_mode: host}}
"""


def names(stacker: Stacker) -> set[str]:
    return {name for row in stacker.json("image", "ls")["images"] for name in row["references"]}


def test_inspect_and_history_agree(stacker: Stacker) -> None:
    (inspected,) = json.loads(stacker.ok("image", "inspect", IMAGE))
    assert inspected["names"] == [f"docker.io/{IMAGE}"]
    assert inspected["config"]["config"]["Cmd"] == ["/bin/sh", "-c", "sh"]
    (row,) = stacker.json("image", "history", IMAGE)["rows"]
    assert row["layer"] == inspected["layers"][0]["blob"]["digest"]
    assert row["created_by"] == "stacker import"
    assert row["layer"].partition(":")[2][:12] in stacker.ok("image", "history", IMAGE)


def test_tag_save_rm_and_load_again(stacker: Stacker) -> None:
    stacker.ok("image", "tag", IMAGE, "local/copy:1", "local/copy:2")
    before = stacker.json("image", "ls")
    saved = stacker.directory / "saved.tar"
    stacker.ok("image", "save", "-o", str(saved), "local/copy:1")
    assert stacker.ok("image", "rm", "local/copy:1", "local/copy:2").split() == [
        "docker.io/local/copy:1",
        "docker.io/local/copy:2",
    ]
    assert names(stacker) == {f"docker.io/{IMAGE}"}
    stacker.ok("image", "load", str(saved))
    assert stacker.json("image", "ls")["images"][0]["id"] == before["images"][0]["id"]
    stacker.ok("image", "rm", "local/copy:1")


def test_save_to_stdout_is_what_the_file_has(stacker: Stacker) -> None:
    saved = stacker.directory / "saved.docker.tar"
    stacker.ok("image", "save", "--form", "docker", "-o", str(saved), IMAGE)
    piped = subprocess.run(
        stacker.command("image", "save", "--form", "docker", IMAGE),
        env=stacker.env(), capture_output=True, check=True,
    )  # fmt: skip
    assert piped.stdout == saved.read_bytes()
    run("skopeo", "inspect", f"docker-archive:{saved}")
    layout = stacker.directory / "layout"
    stacker.ok("image", "save", "--form", "layout", "-o", str(layout), IMAGE)
    run("skopeo", "inspect", f"oci:{layout}:docker.io/{IMAGE}")


def test_what_is_not_here_leaves_nothing(stacker: Stacker) -> None:
    saved = stacker.directory / "none.tar"
    done = stacker("image", "save", "-o", str(saved), IMAGE, "local/none:1")
    assert (done.returncode, done.stderr) == (1, "stacker: image local/none:1 is not here\n")
    assert not list(stacker.directory.glob("none.tar*"))
    for words in (("inspect", "no:1"), ("history", "no:1"), ("tag", "no:1", "a"), ("rm", "no:1")):
        done = stacker("image", *words)
        assert (done.returncode, done.stderr) == (1, "stacker: image no:1 is not here\n")


def test_an_image_in_use_is_not_removed(stacker: Stacker) -> None:
    stacker.up(STACK)
    stacker.ok("image", "tag", IMAGE, "local/other:1")
    stacker.ok("image", "rm", "local/other:1")  # the image has another name
    done = stacker("image", "rm", IMAGE)
    assert done.returncode == 1
    assert "is what container used-web-1 was made of" in done.stderr
    assert names(stacker) == {f"docker.io/{IMAGE}"}
    stacker.ok("down", "-t", "0", "-p", "used")


def test_verify_finds_a_flipped_bit(stacker: Stacker) -> None:
    assert "sound" in stacker.ok("image", "verify")
    (layer,) = (stacker.root / "layers").rglob("*.erofs")
    whole = layer.read_bytes()
    try:
        layer.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
        done = stacker("image", "verify", IMAGE)
        assert done.returncode == 1
        assert "damaged" in done.stdout
        assert "the file that is mounted differs from what the blob gives" in done.stderr
    finally:
        layer.write_bytes(whole)
