"""linux.netDevices: host interfaces in the container; the host is a namespace of the test's."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.integration.runtime.conftest import DEADLINE_S, Bundle, Runtime

pytestmark = pytest.mark.root


class Host:
    """A network namespace that stands for the host's."""

    def __init__(self, pid: int) -> None:
        self._enter = ["nsenter", "--target", str(pid), "--net"]

    def ip(self, *words: str) -> str:
        return self.run(["ip", *words], check=True).stdout

    def run(self, command: list[str], *, check: bool = False) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._enter, *command],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=check,
            stdin=subprocess.DEVNULL,
        )


@pytest.fixture
def host() -> Iterator[Host]:
    with subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo; exec sleep 100"], stdout=subprocess.PIPE
    ) as holder:
        try:
            assert holder.stdout is not None
            holder.stdout.readline()
            one = Host(holder.pid)
            one.ip("link", "add", "out0", "type", "veth", "peer", "name", "out1")
            one.ip("address", "add", "192.0.2.9/24", "dev", "out0")
            one.ip("address", "add", "2001:db8::9/64", "dev", "out0", "nodad")
            one.ip("link", "set", "out0", "up")
            one.ip("link", "set", "out1", "up")
            yield one
        finally:
            holder.kill()


def assert_untouched(host: Host) -> None:
    seen = host.ip("-o", "address", "show", "dev", "out0")
    assert "192.0.2.9/24" in seen
    assert "2001:db8::9/64" in seen
    assert ",UP" in host.ip("link", "show", "dev", "out0")


def run(
    host: Host, runtime: Runtime, bundle: Bundle, identity: str, script: str
) -> subprocess.CompletedProcess[str]:
    return host.run(runtime.argv("run", "--bundle", bundle.shell(script), identity))


@pytest.mark.parametrize(("asked", "expected"), [("", "out0"), ("in0", "in0"), ("in%d", "in0")])
def test_moved_with_its_addresses(
    host: Host, runtime: Runtime, bundle: Bundle, identity: str, asked: str, expected: str
) -> None:
    bundle.config["linux"]["netDevices"] = {"out0": {"name": asked} if asked else {}}
    done = run(host, runtime, bundle, identity, "ip -o address; ip -o link")
    assert done.returncode == 0, done.stderr
    addresses = {
        (words[1], words[3])
        for line in done.stdout.splitlines()
        if (words := line.split())[2] in ("inet", "inet6")
    }
    names = {name.partition("@")[0] for name, _ in addresses}
    assert names == {"lo", *(name for name in names if name.startswith(expected[:2]))}
    [name] = names - {"lo"}
    assert name == expected or asked == "in%d"
    assert {(name, "192.0.2.9/24"), (name, "2001:db8::9/64")} <= addresses
    [line] = [line for line in done.stdout.splitlines() if f": {name}" in line and "mtu" in line]
    assert ",UP" in line


def test_into_a_namespace_joined_by_path_and_a_user_namespace(
    host: Host, runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    linux = bundle.config["linux"]
    linux["netDevices"] = {"out0": {"name": "in0"}}
    linux["namespaces"].append({"type": "user"})
    for kind in ("uidMappings", "gidMappings"):
        linux[kind] = [{"containerID": 0, "hostID": 0, "size": 10}]
    done = run(host, runtime, bundle, identity, "ip -o address show dev in0")
    assert done.returncode == 0, done.stderr
    assert "192.0.2.9/24" in done.stdout


def test_a_device_that_is_not_there(
    host: Host, runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    bundle.config["linux"]["netDevices"] = {"nosuch0": {}}
    done = run(host, runtime, bundle, identity, "true")
    assert done.returncode == 1
    assert "linux.netDevices.nosuch0: no such device" in done.stderr


def test_a_name_that_is_taken_leaves_the_device_where_it_is(
    host: Host, runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    bundle.config["linux"]["netDevices"] = {"out0": {"name": "lo"}}
    done = run(host, runtime, bundle, identity, "true")
    assert done.returncode == 1
    assert "linux.netDevices.out0: the container's network namespace has" in done.stderr
    assert_untouched(host)


def test_a_create_that_fails_later_gives_the_device_back(
    host: Host, runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    bundle.config["linux"]["netDevices"] = {"out0": {"name": "in0"}}
    done = host.run(runtime.argv("run", "--bundle", bundle.write("/bin/nosuch"), identity))
    assert done.returncode == 127
    assert_untouched(host)


def test_the_hosts_own_namespace_is_refused(
    host: Host, runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    linux = bundle.config["linux"]
    linux["netDevices"] = {"out0": {"name": "in0"}}
    for namespace in linux["namespaces"]:
        if namespace["type"] == "network":
            namespace["path"] = "/proc/self/ns/net"
    done = run(host, runtime, bundle, identity, "true")
    assert done.returncode == 1
    assert "the container's network namespace is the host's" in done.stderr
    assert_untouched(host)
