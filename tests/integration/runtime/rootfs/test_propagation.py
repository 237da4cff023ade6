"""Propagation of mounts and of the root: what the host sees of a container, and the reverse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.linux.mount import MNT_DETACH, MS_PRIVATE, MS_SHARED, mount, umount2
from tests.integration.runtime.conftest import Bundle, host_mounts
from tests.integration.runtime.rootfs.conftest import (
    Inside,
)

pytestmark = pytest.mark.root

PROPAGATION = "grep ' /data ' /proc/self/mountinfo | cut -d' ' -f7-"


@pytest.mark.parametrize(
    ("word", "expected"),
    [("shared", "shared:"), ("rshared", "shared:"), ("slave", "master:"), ("rslave", "master:"),
     ("private", ""), ("rprivate", ""), ("unbindable", "unbindable"),
     ("runbindable", "unbindable")],
)  # fmt: skip
def test_propagation_words(inside: Inside, tree: Path, word: str, expected: str) -> None:
    mount(None, str(tree), None, MS_SHARED)
    inside.add("/data", "bind", tree, "rbind", word)
    seen = inside.run(PROPAGATION)[0].split(" - ")[0]
    assert expected in seen
    if not expected:
        assert not {"shared", "master", "unbindable"} & set(seen.replace(":", " ").split())


@pytest.fixture
def shared_root(bundle: Bundle) -> Iterator[Path]:
    """The bundle lies on a shared mount, as on a host that systemd has started."""
    mount(str(bundle.path), str(bundle.path), None, 4096)
    mount(None, str(bundle.path), None, MS_PRIVATE)
    mount(None, str(bundle.path), None, MS_SHARED)
    (bundle.rootfs / "mnt").mkdir()
    yield bundle.path
    umount2(str(bundle.path), MNT_DETACH)


@pytest.mark.parametrize(
    ("word", "expected"),
    [("", "master:"), ("slave", "master:"), ("rslave", "master:"), ("private", ""),
     ("rprivate", ""), ("shared", "shared:"), ("rshared", "shared:"),
     ("unbindable", "unbindable"), ("runbindable", "unbindable")],
)  # fmt: skip
def test_the_propagation_of_the_root(
    inside: Inside, bundle: Bundle, shared_root: Path, word: str, expected: str
) -> None:
    """config-linux.md, "Rootfs Mount Propagation"; and nothing is left on the host."""
    bundle.config["linux"]["rootfsPropagation"] = word
    inside.add("/mnt", "tmpfs", "tmpfs")
    before = host_mounts(bundle.path)
    seen = inside.run("grep -E '^[0-9]+ [0-9]+ [^ ]+ [^ ]+ / ' /proc/self/mountinfo")
    after = host_mounts(bundle.path)
    assert after == before
    fields = seen[-1].split(" - ")[0]
    assert expected in fields
    if not expected:
        assert not any(one in fields for one in ("shared:", "master:", "unbindable"))


@pytest.mark.parametrize("word", ["rshared", "rslave"])
def test_a_shared_volume_reaches_the_host_only_where_the_root_is_shared(
    inside: Inside, bundle: Bundle, shared_root: Path, tree: Path, word: str
) -> None:
    """What a container mounts in an rshared volume the host sees, and only under rshared."""
    mount(None, str(tree), None, MS_SHARED)
    (tree / "place").mkdir()
    bundle.config["linux"]["rootfsPropagation"] = word
    granted = ["CAP_SYS_ADMIN"]
    sets = ("bounding", "effective", "permitted")
    bundle.config["process"]["capabilities"] = dict.fromkeys(sets, granted)
    inside.add("/data", "bind", tree, "rbind", "rshared")
    inside.run("mount -t tmpfs seen /data/place && touch /data/place/it")
    assert (tree / "place/it").exists() == (word == "rshared")


def test_the_root_is_read_only_after_its_hooks(inside: Inside, bundle: Bundle) -> None:
    bundle.config["root"]["readonly"] = True
    script = f"touch {bundle.rootfs}/by-hook"
    hook = {"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin:/usr/bin"]}
    bundle.config["hooks"] = {"createContainer": [hook]}
    seen = inside.run(
        "ls /by-hook; touch /new 2>/dev/null || echo refused; touch /dev/shm/x && echo ok"
    )
    assert seen == ["/by-hook", "refused", "ok"]
