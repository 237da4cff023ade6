"""Bundles as the engine builds them, run by each runtime: the process tells what it sees."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runtime.linux.namespaces import CLONE_NEWNET, unshare
from runtime.security.capabilities import NUMBERS
from stacker.bundle.capabilities import DEFAULT
from stacker.bundle.inputs import ContainerInputs, DeviceNode, HostMount
from stacker.bundle.spec import build_spec
from stacker.drivers.host.probe import probe
from stacker.oci.image_config import ImageConfig
from stacker.stack.model.service import Service
from tests.integration.runtime.conftest import Runtime, make_rootfs

pytestmark = pytest.mark.root

IMAGE = ImageConfig(os="linux", architecture="amd64", env=("PATH=/bin",), cmd=("/bin/sh",))
FACTS = probe()

Run = Callable[..., str]


@pytest.fixture
def netns() -> Iterator[str]:
    """A network namespace that lives as long as a process of ours in it."""
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        unshare(CLONE_NEWNET)
        os.write(tell, b"x")
        signal.pause()
        os._exit(0)
    os.read(ready, 1)
    os.close(ready)
    os.close(tell)
    yield f"/proc/{pid}/ns/net"
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@pytest.fixture
def run(any_runtime: Runtime, identity: str, tmp_path: Path, netns: str) -> Run:
    rootfs = make_rootfs(tmp_path / "rootfs")
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost web\n")
    hosts.chmod(0o644)
    inputs = ContainerInputs(
        container_id=identity,
        name="shop-web-1",
        stack="shop",
        hostname="web",
        rootfs=str(rootfs),
        cgroups_path=f"/{identity}",
        network_namespace=netns,
        files=(HostMount(target="/etc/hosts", source=str(hosts)),),
        passwd=b"root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/tmp:/bin/sh\n",
        group=b"app:x:1001:\naudio:x:29:app\n",
    )

    def go(script: str, more: dict[str, Any] | None = None, **keys: object) -> str:
        service = Service.model_validate({"image": "x", "command": ("sh", "-c", script), **keys})
        spec = build_spec(service, IMAGE, FACTS, replace(inputs, **(more or {})))
        (tmp_path / "config.json").write_text(json.dumps(spec))
        return any_runtime.ok("run", "--bundle", str(tmp_path), identity)

    return go


def status_of(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines())
    return {key: value.strip() for key, _, value in pairs}


def test_the_default_profile_is_on(run: Run) -> None:
    found = status_of(run("cat /proc/self/status"))
    mask = sum(1 << NUMBERS[name] for name in DEFAULT)
    for key, expected in (("Bnd", mask), ("Prm", mask), ("Eff", mask), ("Inh", 0), ("Amb", 0)):
        assert int(found[f"Cap{key}"], 16) == expected, key
    assert found["NoNewPrivs"] == "1"
    assert found["Seccomp"] == "2"


def test_a_user_of_the_image_with_its_groups(run: Run) -> None:
    found = run("id -u; id -g; id -G; echo $HOME; umask; cat /proc/self/status", user="app")
    lines = found.splitlines()
    assert lines[:5] == ["1000", "1001", "1001 29", "/tmp", "0022"]
    assert int(status_of(found)["CapEff"], 16) == 0


def test_limits_files_and_names(run: Run, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "file").write_text("content\n")
    found = run(
        "cat /etc/hosts /data/file; hostname; pwd; ulimit -n; ulimit -Hc;"
        "(echo x > /data/file) 2>&1; (echo x > /file) 2>&1; echo x > /tmp/file && echo wrote;"
        "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range",
        {"volumes": {"/data": str(data)}},
        volumes=(
            {"type": "bind", "source": str(data), "target": "/data", "read_only": True},
            {"type": "tmpfs", "target": "/tmp", "tmpfs": {"size": 65536}},
        ),
        read_only=True,
        working_dir="/data",
        ulimits={"nofile": {"soft": 64, "hard": 128}},
        mem_limit=64 << 20,
        pids_limit=50,
        cpus=0.5,
        cpuset="0",
    )
    lines = found.splitlines()
    assert lines[:6] == ["127.0.0.1 localhost web", "content", "web", "/data", "64", "0"]
    assert "Read-only" in lines[6]
    assert "Read-only" in lines[7]
    assert lines[8:] == ["wrote", "0", "0\t2147483647"]


def test_what_is_hidden_is_hidden(run: Run) -> None:
    found = run(
        "head -c1 /proc/kcore | wc -c; ls /sys/firmware | wc -l;"
        "(echo 0 > /proc/sys/kernel/dmesg_restrict) 2>&1;"
        "(echo h > /proc/sysrq-trigger) 2>&1;"
        "cd /sys/fs/cgroup; if [ -d memory ]; then cd memory; fi; mkdir x 2>&1; ls /dev"
    )
    lines = found.splitlines()
    assert lines[:2] == ["0", "0"]
    for line in lines[2:5]:
        assert "Read-only" in line or "denied" in line or "nonexistent" in line, line
    devices = "console core fd full mqueue null ptmx pts random shm stderr stdin stdout tty"
    assert set(lines[5:]) <= {*devices.split(), "urandom", "zero"}


def test_devices_are_those_that_are_named(run: Run) -> None:
    node = DeviceNode(path="/dev/kmsg", kind="c", major=1, minor=11, permissions="r", mode=0o444)
    script = "stat -c '%t %T %a' /dev/kmsg; (echo x > /dev/kmsg) 2>&1; ls -l /dev/null | cut -c1"
    found = run(script.replace(" | cut -c1", " > /dev/null"), {"devices": (node,)})
    lines = found.splitlines()
    assert lines[0] == "1 b 444"
    assert "permitted" in lines[1] or "denied" in lines[1]


def test_privileged_on_the_hosts_network(run: Run) -> None:
    found = run(
        "cat /proc/self/status; readlink /proc/self/ns/net",
        {"network_namespace": None},
        privileged=True,
        network_mode="host",
    )
    status = status_of(found)
    assert status["Seccomp"] == "0"
    assert status["NoNewPrivs"] == "0"
    assert int(status["CapEff"], 16) == sum(1 << NUMBERS[name] for name in FACTS.capabilities)
    assert os.readlink("/proc/self/ns/net") in found
