"""`stacker image …`, as a user types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.registries.debian import run
from tests.registries.made import rich_layers, umoci_layout
from tests.registries.podman import podman
from tests.registries.trees import tree_of
from tests.scenarios.conftest import a_stacker
from tests.support.supervisor import IMAGE, Stacker, eventually

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def stacker(busybox_tar: Path) -> Iterator[Stacker]:
    with a_stacker(busybox_tar) as made:
        made.up(STACK)  # a supervisor that has something to keep stays
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
    stacker.ok("image", "tag", IMAGE, "local/other:1")
    stacker.ok("image", "rm", "local/other:1")  # the image has another name
    done = stacker("image", "rm", IMAGE)
    assert done.returncode == 1
    assert "is what container used-web-1 was made of" in done.stderr
    assert names(stacker) == {f"docker.io/{IMAGE}"}


def test_verify_finds_a_flipped_bit(stacker: Stacker) -> None:
    assert "sound" in stacker.ok("image", "verify")
    (layer,) = (stacker.root / "layers").rglob("*.erofs")
    whole = layer.read_bytes()
    layer.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    done = stacker("image", "verify", IMAGE)
    assert done.returncode == 1
    assert "damaged" in done.stdout
    assert "what is mounted differs from what the blob gives" in done.stderr
    done = stacker("image", "verify", "--repair", IMAGE)
    assert done.returncode == 0
    assert "repaired" in done.stdout
    assert "what is mounted differs from what the blob gives" in done.stderr
    assert layer.read_bytes() == whole
    assert "sound" in stacker.ok("image", "verify")


@pytest.fixture(scope="module")
def rich(stacker: Stacker) -> Path:
    """The rich image as `localhost/rich:t`, and what umoci unpacks of it."""
    layout = umoci_layout(stacker.directory / "rich", rich_layers())
    stacker.ok("load", str(layout))
    run("umoci", "unpack", "--image", f"{layout}:t", str(stacker.directory / "bundle"))
    return stacker.directory / "bundle/rootfs"


def test_export_is_what_umoci_unpacks(stacker: Stacker, rich: Path) -> None:
    target = stacker.directory / "exported"
    target.mkdir()
    exported = stacker.directory / "rootfs.tar"
    stacker.ok("image", "export", "-o", str(exported), "localhost/rich:t")
    xattrs = ("--xattrs", "--xattrs-include=*")
    run("tar", "-x", "-C", str(target), "--same-owner", "-p", *xattrs, "-f", str(exported))
    assert tree_of(target) == tree_of(rich)
    assert not list((stacker.run / "images").iterdir())


def test_a_mount_is_read_only_and_outlives_the_supervisor(stacker: Stacker, rich: Path) -> None:
    place = Path(stacker.ok("image", "mount", "localhost/rich:t").strip())
    assert stacker.ok("image", "mount", "localhost/rich:t").strip() == str(place)
    assert tree_of(place) == tree_of(rich)
    with pytest.raises(OSError, match="Read-only"):
        (place / "etc/motd").write_text("x")

    before = stacker.supervisor_pid()
    os.kill(before, signal.SIGKILL)
    eventually(lambda: not Path(f"/proc/{before}").exists(), what="its end")
    assert stacker.ok("image", "mount").split() == [str(place)]
    assert stacker.supervisor_pid() != before
    assert (place / "etc/motd").read_text() == "replaced\n"

    assert stacker.ok("image", "unmount", "localhost/rich:t").strip() == str(place)
    assert not stacker.ok("image", "mount")
    assert not list((stacker.run / "images").iterdir())
    done = stacker("image", "unmount", "localhost/rich:t")
    assert done.returncode == 1
    assert "is not mounted" in done.stderr


CHANGED = f"""
name: changed
services:
  web:
    image: "{IMAGE}"
    command:
      - sh
      - -c
      - |
        echo one > /srv/new; ln /srv/new /srv/hard; ln -s new /srv/soft; chmod 4711 /srv/new
        rm /etc/group; rm -r /root; mkdir /root; echo fresh > /root/fresh
        mkfifo /srv/fifo; touch /ready; exec sleep 1000
    network_mode: host
    volumes: [data:/data]
    healthcheck: {{test: [CMD, test, -e, /ready], interval: 1s}}
volumes: {{data: {{}}}}
"""


def test_commit_is_what_the_container_has(stacker: Stacker) -> None:
    stacker.up(CHANGED)
    (record,) = json.loads(stacker.ok("inspect", "-p", "changed", "web"))
    name = "local/committed:1"
    stacker.ok("image", "commit", "changed-web-1", name, "--cmd", '["cat", "/srv/new"]', "-m", "m")
    container = tree_of(Path(record["rootfs"]))
    place = Path(stacker.ok("image", "mount", name).strip())
    committed = tree_of(place)
    stacker.ok("image", "unmount", str(place))
    stacker.ok("down", "-v", "-t", "0", "-p", "changed")

    # /data is a volume: only the place where it is mounted was made, and is left out
    container.pop("data", None)
    assert committed == {path: seen for path, seen in container.items() if path in committed}
    assert set(container) - set(committed) <= {
        "etc/hosts", "etc/hostname", "etc/resolv.conf", "dev/pts", "dev/shm", "dev/mqueue",
    }  # fmt: skip
    assert committed["srv/new"][5] == committed["srv/hard"][5]  # one file, two names
    assert "etc/group" not in committed

    rows = stacker.json("image", "history", name)["rows"]
    assert [row["created_by"] for row in rows] == ["stacker import", "stacker image commit"]
    assert rows[1]["comment"] == "m"
    saved = stacker.directory / "committed.tar"
    stacker.ok("image", "save", "--form", "docker", "-o", str(saved), name)
    with podman() as other:
        other("load", "-q", "-i", str(saved))
        assert other.run(f"docker.io/{name}") == "one\n"
    assert json.loads(run("skopeo", "inspect", f"docker-archive:{saved}"))["Layers"][0]


def test_build_from_is_reproducible(stacker: Stacker, busybox_tar: Path) -> None:
    stacker.environment["SOURCE_DATE_EPOCH"] = "1500000000"
    flags = ("--cmd", '["sh"]', "--env", 'GREETING=it\'s "so"', "--label", "a=b c", "--user", "7")
    try:
        first = stacker.ok("image", "build-from", str(busybox_tar), "local/built:1", *flags)
        piped = stacker.ok(
            "image", "build-from", "-", "local/built:2", *flags, stdin=busybox_tar.read_bytes()
        )
    finally:
        del stacker.environment["SOURCE_DATE_EPOCH"]
    assert first == piped
    (inspected,) = json.loads(stacker.ok("image", "inspect", "local/built:1"))
    assert inspected["names"] == ["docker.io/local/built:1", "docker.io/local/built:2"]
    assert inspected["created"] == "2017-07-14T02:40:00+00:00"
    config = inspected["config"]["config"]
    assert config["Env"] == ['GREETING=it\'s "so"']
    assert (config["Labels"], config["User"]) == ({"a": "b c"}, "7")
    done = stacker("image", "build-from", "--env", "nothing", str(busybox_tar), "local/x:1")
    assert done.returncode == 64


def test_df_and_prune_keep_what_is_used(stacker: Stacker) -> None:
    stacker.ok("image", "build-from", str(stacker.directory / "rich"), "local/loose:1")
    stacker.ok("image", "tag", "local/loose:1", "local/loose:2")
    found = stacker.json("df")
    rows = {name: row for row in found["images"] for name in row["references"]}
    assert rows[f"docker.io/{IMAGE}"]["in_use"]
    assert not rows["docker.io/local/loose:1"]["in_use"]
    assert [row["name"] for row in found["containers"]] == ["used-web-1"]
    kept = sum(path.stat().st_size for path in (stacker.root / "layers").rglob("*.erofs"))
    assert found["images_bytes"] > kept
    assert "used-web-1" in stacker.ok("df", "-v")

    assert "local/loose:1" not in stacker.ok("prune")  # it has its tag
    assert "local/loose:1" not in stacker.ok("image", "prune", "--unused-for", "1h")
    assert "docker.io/local/loose:1, docker.io/local/loose:2" in stacker.ok("prune", "--all")
    assert f"docker.io/{IMAGE}" in names(stacker)
    assert "docker.io/local/loose:1" not in names(stacker)
    assert stacker("image", "verify", IMAGE).returncode == 0
    assert stacker("prune", "--unused-for", "long").returncode == 64


CONTAINERFILE = """
FROM scratch
ADD rootfs.tar /
COPY --chown=7:8 added /srv/added
ENV BUILT="by podman"
LABEL org.opencontainers.image.title=built
USER 7
CMD ["/bin/su"]
"""


@pytest.mark.parametrize("form", ["oci-archive", "docker-archive"])
def test_what_podman_has_built_is_what_podman_mounts(stacker: Stacker, form: str) -> None:
    """buildah's builder, two archives: the same tree, entry by entry, and the same config."""
    folder = stacker.directory / f"build-{form}"
    folder.mkdir()
    (folder / "rootfs.tar").write_bytes(rich_layers()[0])
    (folder / "added").write_bytes(b"a" * 5000)
    (folder / "Containerfile").write_text(CONTAINERFILE)
    name = f"localhost/built:{form}"
    with podman() as other:
        other("build", "-q", "--isolation", "chroot", "--layers", "-t", name, str(folder))
        other("save", "-q", "--format", form, "-o", str(folder / "image.tar"), name)
        (built,) = json.loads(other("image", "inspect", name))
        stacker.ok("load", str(folder / "image.tar"))
        place = Path(stacker.ok("image", "mount", name).strip())
        mine, theirs = tree_of(place), tree_of(Path(other("image", "mount", name).strip()))
        stacker.ok("image", "unmount", name)
        other("image", "unmount", name)
    assert mine == theirs
    (inspected,) = json.loads(stacker.ok("image", "inspect", name))
    assert inspected["id"] == f"sha256:{built['Id']}"
    assert [layer["diff_id"] for layer in inspected["layers"]] == built["RootFS"]["Layers"]
    assert inspected["config"]["config"]["Env"][-1] == "BUILT=by podman"
    assert inspected["annotations"]["org.opencontainers.image.title"] == "built"
    stacker.ok("image", "rm", name)
