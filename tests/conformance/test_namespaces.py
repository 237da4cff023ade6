"""`linux.namespaces`: new ones, joined ones, missing ones; and sysctls, which belong to them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.conftest import Case

pytestmark = pytest.mark.root
FILES = {"pid": "pid", "network": "net", "ipc": "ipc", "uts": "uts", "mount": "mnt",
         "cgroup": "cgroup"}  # fmt: skip


@pytest.fixture
def holder() -> Iterator[int]:
    """A process with network, ipc and uts namespaces of its own."""
    child = subprocess.Popen(
        ["unshare", "--net", "--ipc", "--uts", "sh", "-c", "echo; exec sleep 1000"],
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    child.stdout.readline()
    with child:
        yield child.pid
        child.kill()


@pytest.mark.parametrize("kind", FILES)
def test_a_new_namespace(case: Case, kind: str) -> None:
    """config-linux.md, "Namespaces": without a path the runtime MUST make a new one."""
    case.namespace(kind)
    inside = case.one("namespaces")[FILES[kind]]
    assert inside.startswith(FILES[kind])
    assert inside != os.readlink(f"/proc/self/ns/{FILES[kind]}")


@pytest.mark.parametrize("kind", ["pid", "network", "ipc", "uts", "cgroup"])
def test_a_namespace_that_is_not_listed(case: Case, kind: str) -> None:
    """config-linux.md, "Namespaces": what is not listed MUST be inherited."""
    case.without_namespace(kind)
    inside = case.one("namespaces")[FILES[kind]]
    assert inside == os.readlink(f"/proc/self/ns/{FILES[kind]}")


@pytest.mark.parametrize("kind", ["network", "ipc", "uts"])
def test_a_namespace_by_path(case: Case, kind: str, holder: int) -> None:
    """config-linux.md, "Namespaces": with a path the process is put into that one."""
    path = f"/proc/{holder}/ns/{FILES[kind]}"
    case.namespace(kind, path)
    assert case.one("namespaces")[FILES[kind]] == os.readlink(path)


def test_a_path_of_another_kind_is_refused(case: Case, holder: int) -> None:
    """config-linux.md, "Namespaces": a path not associated with the type MUST be an error."""
    case.namespace("network", f"/proc/{holder}/ns/uts")
    case.refused()


@pytest.mark.parametrize("path", ["/nosuch", "/etc/passwd", "relative"])
def test_a_path_of_no_namespace_is_refused(case: Case, path: str) -> None:
    """config-linux.md, "Namespaces": the path is absolute and names a namespace."""
    case.namespace("network", path)
    case.refused()


@pytest.mark.differs(crun="1.8 takes a namespace that is listed twice")
def test_a_type_that_is_listed_twice_is_refused(case: Case) -> None:
    """config-linux.md, "Namespaces": duplicate types MUST be an error."""
    case.linux["namespaces"].append({"type": "ipc"})
    case.refused()


def test_an_unknown_type_is_refused(case: Case) -> None:
    """config-linux.md, "Namespaces": the types that are listed there."""
    case.linux["namespaces"].append({"type": "nosuch"})
    case.refused()


def test_loopback_is_up(case: Case) -> None:
    """config-linux.md, "Namespaces": a new network namespace has its loopback, as runc makes it."""
    case.mount("/sys", type="sysfs", source="sysfs", options=["ro"])
    flags = case.one("read /sys/class/net/lo/flags")
    assert int(flags, 16) & 1


def test_a_user_namespace(case: Case) -> None:
    """config-linux.md, "User namespace mappings": container ids are host ids by the tables."""
    case.namespace("user")
    mapping = [{"containerID": 0, "hostID": 100_000, "size": 65_536}]
    case.linux["uidMappings"] = case.linux["gidMappings"] = mapping
    for path in (case.rootfs, *case.rootfs.rglob("*")):
        os.lchown(path, 100_000, 100_000)
    for folder in (case.bundle, *case.bundle.parents[:3]):
        folder.chmod(0o755)
    seen = case.see("user", "read /proc/self/uid_map", "namespaces", "stat /see")
    assert seen["user"]["uids"] == [0, 0, 0]
    assert seen["read /proc/self/uid_map"].split() == ["0", "100000", "65536"]
    assert seen["namespaces"]["user"] != os.readlink("/proc/self/ns/user")
    assert seen["stat /see"]["uid"] == 0


@pytest.mark.differs(runc="wants mappings for a user namespace")
def test_a_user_namespace_without_mappings(case: Case) -> None:
    """config-linux.md, "User namespace mappings": they are OPTIONAL; root inside is the caller."""
    case.namespace("user")
    assert case.one("read /proc/self/uid_map").split() == ["0", "0", "1"]


def test_sysctl(case: Case) -> None:
    """config-linux.md, "Sysctl": namespaced kernel parameters of the container."""
    case.linux["sysctl"] = {"net.ipv4.ip_forward": "1", "kernel.shmmax": "65536"}
    before = Path("/proc/sys/kernel/shmmax").read_text()
    seen = case.see("read /proc/sys/net/ipv4/ip_forward", "read /proc/sys/kernel/shmmax")
    assert seen["read /proc/sys/net/ipv4/ip_forward"] == "1\n"
    assert seen["read /proc/sys/kernel/shmmax"] == "65536\n"
    assert Path("/proc/sys/kernel/shmmax").read_text() == before


@pytest.mark.parametrize(
    "name", ["kernel.core_pattern", "vm.swappiness", "fs.file-max", "kernel.hostname"]
)
def test_a_sysctl_of_the_host_is_refused(case: Case, name: str) -> None:
    """config-linux.md, "Sysctl": parameters of no namespace would change the host."""
    path = Path("/proc/sys") / name.replace(".", "/")
    before = path.read_text()
    case.linux["sysctl"] = {name: before.strip()}
    case.refused()
    assert path.read_text() == before


def test_a_sysctl_wants_its_namespace(case: Case) -> None:
    """config-linux.md, "Sysctl": of a namespace that is the host's it is the host's."""
    case.without_namespace("ipc")
    case.linux["sysctl"] = {"kernel.shmmax": Path("/proc/sys/kernel/shmmax").read_text().strip()}
    case.refused()
