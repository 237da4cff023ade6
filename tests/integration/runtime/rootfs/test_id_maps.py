"""Mounts with mapped ids (config.md, uidMappings, idmap and ridmap), and user namespaces."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runtime.linux.mount import MS_SHARED, mount
from tests.integration.runtime.conftest import Bundle, host_mounts
from tests.integration.runtime.rootfs.conftest import (
    Inside,
    in_user_namespace,
    mapping,
)

pytestmark = pytest.mark.root

IDENTITIES = "stat -c '%n %u %g' /data/zero /data/five"


@pytest.fixture
def owned(source: Path) -> Path:
    for name, owner in (("zero", 0), ("five", 5)):
        (source / name).write_text("")
        os.chown(source / name, owner, owner + 1)
    return source


@pytest.mark.parametrize("words", [("bind",), ("bind", "idmap"), ("rbind", "ridmap", "ro")])
def test_ids_are_mapped_by_the_mounts_own_mappings(
    detached: Inside, owned: Path, words: tuple[str, ...]
) -> None:
    detached.add(
        "/data", "bind", owned, *words,
        uidMappings=mapping(0, 1000), gidMappings=mapping(0, 2000),
    )  # fmt: skip
    assert detached.run(IDENTITIES) == ["/data/zero 1000 2001", "/data/five 1005 2006"]
    assert os.stat(owned / "five").st_uid == 5


def test_ids_are_mapped_by_the_containers_user_namespace(
    detached: Inside, bundle: Bundle, owned: Path
) -> None:
    """And all of it below directories of mode 0700, which root in the namespace cannot enter."""
    in_user_namespace(bundle)
    bundle.path.chmod(0o700)
    detached.add("/data", "bind", owned, "bind", "idmap")
    detached.add("/plain", "bind", owned, "bind", "ro")
    seen = detached.run(f"{IDENTITIES}; stat -c %u /plain/five; touch /data/new; id -u")
    assert seen == ["/data/zero 0 1", "/data/five 5 6", "65534", "0"]
    assert os.stat(owned / "new").st_uid == 0


def test_nothing_mounted_in_a_user_namespace_reaches_the_host(
    detached: Inside, bundle: Bundle, tree: Path
) -> None:
    """R3: sources that the parent opened for the init are slaves of the host's mounts."""
    mount(None, str(tree), None, MS_SHARED)
    in_user_namespace(bundle)
    bundle.path.chmod(0o700)
    tree.joinpath("place").mkdir()
    detached.add("/data", "bind", tree, "rbind")
    detached.add("/data/place", "tmpfs", "tmpfs")
    before = host_mounts(bundle.path)
    detached.run("true")
    assert host_mounts(bundle.path) == before
