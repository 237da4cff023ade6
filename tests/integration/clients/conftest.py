"""One world for the whole folder, and the clients in it, each with an image of busybox."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator

import pytest

from tests.integration.clients.docker import Ctr, Docker
from tests.integration.clients.podman import IMAGE, Podman
from tests.integration.clients.world import RUNTIME, World, cgroup_name, image_archive, world
from tests.support.leaks import assert_none, snapshot


@pytest.fixture(scope="session", autouse=True)
def _root() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Generator[World]:
    directory = tmp_path_factory.mktemp("world")
    before = snapshot(str(directory), cgroup_name())
    with world(directory) as made:
        yield made
    assert_none(before, str(directory), cgroup_name())


@pytest.fixture(scope="session")
def _podman(machine: World) -> Podman:
    _needs("podman", "conmon", "catatonit")
    client = Podman(machine)
    client.import_image()
    return client


@pytest.fixture
def podman(_podman: Podman) -> Generator[Podman]:
    yield _podman
    # a container that our runtime cannot delete would stay: podman says so by its exit code
    _podman.remove_all()


def _needs(*programs: str) -> None:
    for program in programs:
        if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
            pytest.skip(f"{program} is not installed")


@pytest.fixture(scope="session")
def containerd(machine: World) -> str:
    """The path of its socket."""
    _needs("containerd", "ctr")
    place = machine.directory / "containerd"
    socket = f"{machine.directory}/containerd.sock"
    # no CRI: it wants CNI plugins; no /opt: it is made on the host
    config = machine.write(
        "containerd.toml",
        f"""version = 2
root = "{place}/root"
state = "{place}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
address = "{socket}"
""",
    )
    ready = ("ctr", "--address", socket, "version")
    machine.start("containerd", "containerd", "--config", config, ready=ready)
    return socket


@pytest.fixture(scope="session")
def _rootfs(machine: World) -> str:
    """The image unpacked, as `ctr run --rootfs` takes it."""
    target = f"{machine.directory}/rootfs"
    machine.ok("mkdir", target)
    machine.ok("tar", "-C", target, "-x", stdin=image_archive())
    return target


@pytest.fixture
def ctr(machine: World, containerd: str, _rootfs: str) -> Generator[Ctr]:
    client = Ctr(machine, containerd, _rootfs)
    yield client
    client.remove_all()


@pytest.fixture(scope="session")
def _docker(machine: World, containerd: str) -> Docker:
    _needs("dockerd", "docker")
    place, socket = machine.directory / "docker", f"unix://{machine.directory}/docker.sock"
    machine.start(
        "dockerd",
        *("dockerd", "--host", socket, "--containerd", containerd),
        *("--data-root", f"{place}/data", "--exec-root", f"{place}/exec"),
        *("--pidfile", f"{place}/pid", "--storage-driver", "overlay2"),
        # the packet filter is not what is tested, and iptables is not needed without it
        *("--bridge=none", "--iptables=false", "--ip6tables=false"),
        *("--add-runtime", f"stacker={RUNTIME}", "--cgroup-parent", f"/{machine.cgroup}"),
        ready=("docker", "--host", socket, "version"),
    )
    client = Docker(machine, socket)
    client.ok("import", "--change", "ENV PATH=/bin", "-", IMAGE, stdin=image_archive())
    return client


@pytest.fixture
def docker(_docker: Docker) -> Generator[Docker]:
    yield _docker
    _docker.remove_all()
