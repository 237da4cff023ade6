"""Images and a real registry: pull, push, copy, lock, outdated, and policies that ask in time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.registries.debian import DebianRegistry, debian_registry, run
from tests.registries.made import member, rich_layers, tar_of, umoci_layout
from tests.registries.podman import podman
from tests.scenarios.conftest import a_stacker
from tests.support.supervisor import IMAGE, Stacker, eventually

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianRegistry]:
    with debian_registry(tmp_path_factory.mktemp("registry") / "plain") as running:
        yield running


@pytest.fixture(scope="module")
def stacker(busybox_tar: Path) -> Iterator[Stacker]:
    with a_stacker(busybox_tar) as made:
        made.up(stack("keep", IMAGE))  # a supervisor that has something to keep stays
        yield made


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory, busybox_tar: Path) -> tuple[Path, Path]:
    """Two versions of an image, which share all layers but one."""
    where = tmp_path_factory.mktemp("made")
    layers = (busybox_tar.read_bytes(), *rich_layers())
    return (
        umoci_layout(where / "one", layers),
        umoci_layout(where / "two", (*layers, tar_of(member("etc/version", b"two\n")))),
    )


def stack(name: str, image: str, *, more: str = "") -> str:
    return (
        f"name: {name}\nservices:\n  web:\n    image: {image}\n    network_mode: host\n"
        f"    stop_signal: SIGKILL\n"
        f'    command: [sleep, "1000"]\n{more}'
    )


def publish(registry: DebianRegistry, layout: Path, name: str) -> str:
    """Push with skopeo; the digest of the tag then."""
    registry.skopeo(f"oci:{layout}:t", f"docker://{registry.host}/{name}")
    return digest_of(registry, name)


def digest_of(registry: DebianRegistry, name: str) -> str:
    where = f"docker://{registry.host}/{name}"
    return json.loads(run("skopeo", "inspect", "--tls-verify=false", where))["Digest"]


def test_pull_tells_events_and_what_was_shared(
    stacker: Stacker, registry: DebianRegistry, versions: tuple[Path, Path]
) -> None:
    for number, layout in enumerate(versions, 1):
        publish(registry, layout, f"app:{number}")
    one, two = f"{registry.host}/app:1", f"{registry.host}/app:2"
    events = [json.loads(line) for line in stacker.ok("image", "pull", "--json", one).splitlines()]
    states = {event["attributes"].get("state") for event in events}
    assert {"resolving", "waiting", "done"} <= states
    assert events[-1]["kind"] == "image.pulled"
    assert events[-1]["attributes"]["image"] == one

    done = stacker("image", "pull", two)
    assert done.returncode == 0
    assert "5 layers shared" in done.stderr
    (row,) = [row for row in stacker.json("image", "ls")["images"] if two in row["references"]]
    assert done.stdout.strip() == row["id"]


def test_push_sends_what_is_missing_and_podman_runs_it(
    stacker: Stacker, registry: DebianRegistry
) -> None:
    target = f"{registry.host}/pushed/busybox:1"
    (inspected,) = json.loads(stacker.ok("image", "inspect", IMAGE))
    pushed = stacker.ok("image", "push", IMAGE, target).strip()
    assert pushed == f"{target}@{inspected['entry']['digest']}"
    assert digest_of(registry, "pushed/busybox:1") == inspected["entry"]["digest"]
    lines = stacker.ok("image", "push", "--json", IMAGE, target).splitlines()
    assert json.loads(lines[-1])["bytes_sent"] == 0

    with podman() as other:
        other("pull", "-q", "--tls-verify=false", target)
        assert other.run(target, "echo", "from a registry") == "from a registry\n"

    copied = stacker.ok("image", "copy", target, f"{registry.host}/copied/busybox:2").strip()
    assert copied.endswith(f"@{inspected['entry']['digest']}")
    assert digest_of(registry, "copied/busybox:2") == inspected["entry"]["digest"]
    done = stacker("image", "push", "local/none:1", f"{registry.host}/x:1")
    assert done.returncode == 1
    assert "local/none:1" in done.stderr


def pulled_blob(
    stacker: Stacker, registry: DebianRegistry, version: Path, name: str
) -> tuple[str, dict[str, Any], Path]:
    """Publish and pull an image: its name, what inspect says, and the blob of its lowest layer."""
    publish(registry, version, name)
    full = f"{registry.host}/{name}"
    stacker.ok("image", "pull", full)
    (inspected,) = json.loads(stacker.ok("image", "inspect", full))
    digest = inspected["layers"][0]["blob"]["digest"]
    return full, inspected, stacker.root / "images/blobs" / digest.replace(":", "/")


def test_what_was_dropped_is_fetched_again_and_told(
    stacker: Stacker, registry: DebianRegistry, versions: tuple[Path, Path]
) -> None:
    name, inspected, blob = pulled_blob(stacker, registry, versions[0], "dropped:1")
    saved = [stacker.directory / f"dropped-{number}.tar" for number in range(2)]
    assert "again" not in stacker("image", "save", "-o", str(saved[0]), name).stderr
    blob.unlink()
    done = stacker("image", "save", "-o", str(saved[1]), name)
    assert done.returncode == 0, done.stderr
    assert f"what was dropped of {name} is here again, from {name}" in done.stderr
    assert saved[0].read_bytes() == saved[1].read_bytes()

    blob.unlink()
    with debian_registry(stacker.directory / "elsewhere") as other:
        done = stacker("image", "push", name, f"{other.host}/dropped:1")
        assert done.returncode == 0, done.stderr
        assert f"not here any more: fetched again from {name}" in done.stderr
        assert digest_of(other, "dropped:1") == inspected["entry"]["digest"]


def test_containers_do_without_the_blobs_that_prune_drops(
    stacker: Stacker, registry: DebianRegistry, versions: tuple[Path, Path]
) -> None:
    name, inspected, blob = pulled_blob(stacker, registry, versions[1], "pruned:1")
    eventually(lambda: stacker.json("df")["droppable_bytes"], what="a layer that is on the disk")
    assert "compressed" in stacker.ok("df")
    done = stacker("image", "prune", "--blobs")
    assert done.returncode == 0, done.stderr
    assert "compressed layers (" in done.stderr
    assert "dropped; push and save fetch them again" in done.stderr
    assert not blob.exists()
    assert stacker.json("df")["droppable_bytes"] == 0

    stacker.up(stack("pruned", name))
    done = stacker("image", "verify", name)
    assert done.returncode == 0, done.stderr
    assert "damaged" not in done.stdout
    (row,) = stacker.json("image", "verify", name)["images"]
    assert row["dropped"] == [layer["blob"]["digest"] for layer in inspected["layers"]]

    done = stacker("image", "commit", "pruned-web-1", "local/over:1")
    assert done.returncode == 0, done.stderr
    assert f"what was dropped of {name} is here again, from {registry.host}/" in done.stderr
    assert blob.exists()
    assert "0 compressed layers" in stacker("prune", "--blobs").stderr
    stacker.ok("down", "-t", "0", "-p", "pruned")


def test_a_lock_holds_though_the_tag_moves(
    stacker: Stacker, registry: DebianRegistry, versions: tuple[Path, Path]
) -> None:
    first = publish(registry, versions[0], "moving:1")
    name = f"{registry.host}/moving:1"
    file = stacker.write(stack("locked", name), "shop.yaml")
    assert stacker("up", "-d", "--locked", str(file)).returncode == 1  # there is no lock yet
    lock = Path(stacker.ok("lock", str(file)).strip())
    assert lock == stacker.directory / "shop.lock.yaml"
    assert f'"{name}": "{first}"' in lock.read_text()
    assert stacker("lock", "--check", str(file)).returncode == 0

    second = publish(registry, versions[1], "moving:1")
    assert second != first
    assert stacker("lock", "--check", str(file)).returncode == 2
    stacker.ok("up", "-d", "--wait", "--locked", str(file))
    (image,) = json.loads(stacker.ok("image", "inspect", f"{name}@{first}"))
    (container,) = json.loads(stacker.ok("inspect", "-p", "locked", "web"))
    assert container["image_id"] == image["id"]

    lock.write_text(lock.read_text().replace(name, f"{registry.host}/other:1"))
    done = stacker("up", "-d", "--locked", str(file))
    assert done.returncode == 1
    assert "is not in the lock file: run `stacker lock`" in done.stderr
    stacker.ok("down", "-t", "0", "-p", "locked")


def test_outdated_says_so_and_fetches_nothing(
    stacker: Stacker, registry: DebianRegistry, versions: tuple[Path, Path]
) -> None:
    name = f"{registry.host}/stale:1"
    here = publish(registry, versions[0], "stale:1")
    file = stacker.write(stack("stale", name), "stale.yaml")
    assert stacker("outdated", str(file)).returncode == 2  # it is not here
    stacker.ok("pull", str(file))
    assert stacker("outdated", str(file)).returncode == 0
    latest = publish(registry, versions[1], "stale:1")
    before = stacker.json("image", "ls")
    done = stacker("outdated", str(file), "--format", "json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["images"] == [
        {"reference": name, "state": "outdated", "here": here, "latest": latest, "note": ""}
    ]
    assert stacker.json("image", "ls") == before

    gone = stacker.write(stack("gone", f"{registry.host}/none:1"), "gone.yaml")
    done = stacker("outdated", str(gone))
    assert done.returncode == 1
    assert f"{registry.host}/none:1: look up" in done.stderr


def test_a_policy_asks_again_when_its_time_is_over(
    stacker: Stacker, registry: DebianRegistry, versions: tuple[Path, Path]
) -> None:
    name = f"{registry.host}/timed:1"

    def image() -> str:
        (container,) = json.loads(stacker.ok("inspect", "-p", "timed", "web"))
        return container["image_id"]

    publish(registry, versions[0], "timed:1")
    daily = stack("timed", name, more="    pull_policy: daily\n")
    stacker.up(daily)
    first = image()
    publish(registry, versions[1], "timed:1")
    stacker.up(daily)
    assert image() == first  # it was asked for today
    plan = stacker(
        "plan", str(stacker.write(stack("timed", name, more="    pull_policy: every_0s\n")))
    )
    assert "its registry was asked" in plan.stdout
    stacker.ok("up", "-d", "--wait", "--pull", "every_0s", str(stacker.write(daily)))
    assert image() != first
    assert stacker("up", "-d", "--pull", "sometimes", str(stacker.write(daily))).returncode == 64
    stacker.ok("down", "-t", "0", "-p", "timed")
