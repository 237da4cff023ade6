"""Devices where they are not simply made: in user namespaces, and in a /dev that is bound."""

from __future__ import annotations

import json
import os

import pytest

from tests.integration.runtime.conftest import Bundle
from tests.integration.runtime.rootfs.conftest import (
    Inside,
    in_user_namespace,
)

pytestmark = pytest.mark.root


def test_devices_in_a_user_namespace_are_the_hosts(detached: Inside, bundle: Bundle) -> None:
    """By path, by number where the container has another path, and a FIFO is made."""
    in_user_namespace(bundle)
    bundle.path.chmod(0o700)
    bundle.config["linux"]["devices"] = [
        {"path": "/dev/own", "type": "c", "major": 1, "minor": 5, "fileMode": 0o666},
        {"path": "/dev/pipe", "type": "p", "fileMode": 0o640, "uid": 3, "gid": 4},
    ]
    seen = detached.run(
        "stat -c '%t:%T' /dev/own /dev/null; stat -c '%F %a %u %g' /dev/pipe; "
        "head -c 3 /dev/own | wc -c"
    )
    assert seen == ["1:5", "1:3", "fifo 640 3 4", "3"]


def test_a_device_the_host_does_not_have_cannot_be_bound(detached: Inside, bundle: Bundle) -> None:
    in_user_namespace(bundle)
    bundle.config["linux"]["devices"] = [
        {"path": "/dev/null", "type": "c", "major": 250, "minor": 251}
    ]
    assert "linux.devices: /dev/null: the host has no node of char device" in detached.refused()


def test_a_bound_dev_is_left_alone(inside: Inside, bundle: Bundle) -> None:
    """Its files are the host's: none is replaced, not even by the default devices."""
    host = bundle.path / "dev"
    (host / "pts").mkdir(parents=True)
    (host / "shm").mkdir()
    (host / "null").write_text("the host's")
    bundle.config["mounts"] = [
        one for one in bundle.config["mounts"] if one["destination"] != "/dev"
    ]
    bundle.config["mounts"].insert(
        1, {"destination": "/dev/", "type": "none", "source": str(host), "options": ["rbind"]}
    )
    bundle.config["linux"]["devices"] = [{"path": "/dev/x", "type": "c", "major": 1, "minor": 3}]
    before = json.dumps(sorted(os.listdir(host)))
    assert inside.run("cat /dev/null; echo") == ["the host's"]
    assert json.dumps(sorted(os.listdir(host))) == before


@pytest.mark.parametrize("user", [False, True])
def test_what_config_json_mounts_on_a_device_stays(
    detached: Inside, bundle: Bundle, user: bool
) -> None:
    """As of engines that bind each node of the host in a container with all privileges."""
    if user:
        in_user_namespace(bundle)
        bundle.path.chmod(0o700)
    detached.add("/dev/random", "bind", "/dev/null", "bind")
    detached.add("/dev/zero", "bind", "/dev/zero", "bind")
    bundle.config["linux"]["devices"] = [
        {"path": "/dev/ptmx", "type": "c", "major": 5, "minor": 2},
        {"path": "/dev/zero", "type": "c", "major": 1, "minor": 5},
    ]
    seen = detached.run("stat -c '%t:%T' /dev/random /dev/zero; readlink /dev/ptmx")
    assert seen == ["1:3", "1:5", "pts/ptmx"]
