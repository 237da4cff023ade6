"""What the process sees: namespaces, mounts, limits, settings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from stacker.base.errors import Invalid
from stacker.bundle.inputs import ContainerInputs, DeviceNode
from stacker.bundle.spec import build_spec
from stacker.stack.model.service import Service

from .worlds import FACTS, IMAGE, INPUTS, service


def spec_of(built: Service, inputs: ContainerInputs = INPUTS) -> dict[str, Any]:
    return cast("dict[str, Any]", build_spec(built, IMAGE, FACTS, inputs))


def namespaces(built: Service, inputs: ContainerInputs = INPUTS) -> dict[str, str | None]:
    found = spec_of(built, inputs)["linux"]["namespaces"]
    return {one["type"]: one.get("path") for one in found}


def mounts(built: Service, inputs: ContainerInputs = INPUTS) -> dict[str, dict[str, Any]]:
    found = spec_of(built, inputs)["mounts"]
    assert len({one["destination"] for one in found}) == len(found)
    return {one["destination"]: one for one in found}


def test_namespaces_of_its_own_by_default() -> None:
    assert namespaces(service()) == {
        "mount": None,
        "cgroup": None,
        "network": INPUTS.network_namespace,
        "uts": None,
        "pid": None,
        "ipc": None,
    }


def test_namespaces_of_the_host_and_of_others() -> None:
    host = replace(INPUTS, network_namespace=None)
    modes: dict[str, object] = {"network_mode": "host", "pid": "host", "ipc": "host", "uts": "host"}
    assert namespaces(service(**modes), host) == {"mount": None, "cgroup": None}
    assert "hostname" not in spec_of(service(**modes), host)
    shared = replace(INPUTS, pid_namespace="/proc/5/ns/pid", ipc_namespace="/proc/5/ns/ipc")
    found = namespaces(service(pid="service:db", ipc="service:db"), shared)
    assert found["pid"] == "/proc/5/ns/pid"
    assert found["ipc"] == "/proc/5/ns/ipc"
    with pytest.raises(Invalid, match="pid: service:db"):
        namespaces(service(pid="service:db"))


def test_shared_memory_goes_with_ipc() -> None:
    assert "size=67108864" in mounts(service())["/dev/shm"]["options"]
    assert "size=1048576" in mounts(service(shm_size=1 << 20))["/dev/shm"]["options"]
    assert mounts(service(ipc="host"))["/dev/shm"]["source"] == "/dev/shm"
    assert "/dev/shm" not in mounts(service(ipc="none"))
    shared = replace(INPUTS, shared_memory="/run/stacker/shm/1", ipc_namespace="/proc/5/ns/ipc")
    for mode in ("shareable", "service:db"):
        assert mounts(service(ipc=mode), shared)["/dev/shm"]["source"] == "/run/stacker/shm/1"


def test_inner_mounts_come_after_outer_ones() -> None:
    inputs = replace(INPUTS, volumes={"/data/a/b": "/v/1", "/data": "/v/2", "/image": "/v/3"})
    built = service(
        volumes=(
            {"type": "volume", "source": "inner", "target": "/data/a/b", "read_only": True},
            {"type": "tmpfs", "target": "/data/a", "tmpfs": {"size": 4096}},
            {"type": "bind", "source": "/x", "target": "/data", "bind": {"propagation": "rslave"}},
        )
    )
    order = [one["destination"] for one in spec_of(built, inputs)["mounts"]]
    own = ["/data", "/image", "/data/a", "/etc/hosts", "/etc/resolv.conf", "/data/a/b"]
    assert [one for one in order if one in own] == own
    found = mounts(built, inputs)
    assert found["/data"]["options"] == ["rbind", "rslave"]
    assert found["/data/a/b"]["options"] == ["rbind", "rprivate", "ro", "rro"]
    assert found["/image"]["source"] == "/v/3"


def test_a_tmpfs_takes_back_what_it_says() -> None:
    built = service(
        volumes=(
            {"type": "tmpfs", "target": "/run", "tmpfs": {"mode": 0o755, "options": ("exec",)}},
            {"type": "tmpfs", "target": "/dev/shm", "tmpfs": {"uid": 5, "gid": 6}},
        )
    )
    found = mounts(built)
    assert found["/run"]["options"] == ["nosuid", "nodev", "exec", "mode=755"]
    assert found["/dev/shm"]["options"] == [
        "nosuid",
        "noexec",
        "nodev",
        "mode=1777",
        "uid=5",
        "gid=6",
    ]


def test_the_services_own_mount_wins_over_a_file_of_the_engine() -> None:
    inputs = replace(INPUTS, volumes={"/etc/hosts": "/mine"})
    built = service(volumes=({"type": "bind", "source": "/mine", "target": "/etc/hosts"},))
    assert mounts(built, inputs)["/etc/hosts"]["source"] == "/mine"


@pytest.mark.parametrize("target", ["/", "relative", "/a/..", "//"])
def test_a_mount_needs_a_place(target: str) -> None:
    with pytest.raises(Invalid, match="volumes"):
        spec_of(service(volumes=({"type": "tmpfs", "target": target},)))


def test_one_target_is_one_mount() -> None:
    twice = ({"type": "tmpfs", "target": "/t"}, {"type": "tmpfs", "target": "/t/"})
    with pytest.raises(Invalid, match="two mounts"):
        spec_of(service(volumes=twice))
    with pytest.raises(Invalid, match="not known"):
        spec_of(service(volumes=({"type": "volume", "source": "v", "target": "/v"},)))


def test_read_only_is_for_files_of_the_engine_too() -> None:
    found = spec_of(service(read_only=True))
    assert found["root"]["readonly"] is True
    assert "ro" in mounts(service(read_only=True))["/etc/hosts"]["options"]
    assert "ro" not in mounts(service())["/etc/hosts"]["options"]


def test_limits() -> None:
    built = service(
        cpus=1.5, cpuset="0", cpu_shares=1, mem_limit=64 << 20, mem_reservation=32 << 20
    )
    found = spec_of(built)["linux"]["resources"]
    assert found["cpu"] == {"quota": 150_000, "period": 100_000, "shares": 2, "cpus": "0"}
    assert found["memory"] == {"limit": 64 << 20, "reservation": 32 << 20, "swap": 128 << 20}
    assert found["pids"] == {"limit": 2048}
    assert spec_of(service(pids_limit=-1))["linux"]["resources"]["pids"] == {"limit": -1}
    unlimited = service(mem_limit=64 << 20, memswap_limit=-1)
    assert spec_of(unlimited)["linux"]["resources"]["memory"]["swap"] == -1
    assert "memory" not in spec_of(service())["linux"]["resources"]


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"cpus": 0.001}, "cpus"),
        ({"mem_limit": 4096}, "mem_limit"),
        ({"mem_limit": 64 << 20, "mem_reservation": 65 << 20}, "mem_reservation"),
        ({"memswap_limit": 64 << 20}, "memswap_limit"),
        ({"mem_limit": 64 << 20, "memswap_limit": 63 << 20}, "memswap_limit"),
    ],
)
def test_limits_that_contradict(keys: dict[str, object], named: str) -> None:
    with pytest.raises(Invalid, match=f"^{named}: "):
        spec_of(service(**keys))


def test_devices_are_denied_but_for_those_that_are_named() -> None:
    node = DeviceNode(path="/dev/kvm", kind="c", major=10, minor=232, permissions="rw", mode=0o660)
    linux = spec_of(service(), replace(INPUTS, devices=(node,)))["linux"]
    rules = linux["resources"]["devices"]
    assert rules[0] == {"allow": False, "access": "rwm"}
    assert rules[-1] == {"allow": True, "type": "c", "major": 10, "minor": 232, "access": "rw"}
    assert linux["devices"][0]["fileMode"] == 0o660
    open_rules = spec_of(service(privileged=True))["linux"]["resources"]["devices"]
    assert open_rules == [{"allow": True, "access": "rwm"}]


def test_settings_of_its_own_network() -> None:
    assert spec_of(service())["linux"]["sysctl"] == {
        "net.ipv4.ip_unprivileged_port_start": "0",
        "net.ipv4.ping_group_range": "0 2147483647",
    }
    own = service(sysctls={"net.core.somaxconn": "1024", "kernel.shmmax": "5"})
    assert spec_of(own)["linux"]["sysctl"]["net.core.somaxconn"] == "1024"
    shared = service(network_mode="service:db")
    assert spec_of(shared)["linux"]["sysctl"] == {}
    host = replace(INPUTS, network_namespace=None)
    assert spec_of(service(network_mode="host"), host)["linux"]["sysctl"] == {}


@pytest.mark.parametrize(
    "name",
    [
        "kernel.core_pattern",
        "vm.swappiness",
        "net/../kernel.x",
        "",
        "user.max_user_namespaces",
    ],
)
def test_settings_of_the_host_are_refused(name: str) -> None:
    with pytest.raises(Invalid, match="sysctls"):
        spec_of(service(sysctls={name: "1"}))


def test_settings_of_a_namespace_that_is_the_hosts() -> None:
    host = replace(INPUTS, network_namespace=None)
    with pytest.raises(Invalid, match=r"net\.core\.somaxconn is the host's"):
        spec_of(service(network_mode="host", sysctls={"net.core.somaxconn": "1"}), host)
    with pytest.raises(Invalid, match=r"kernel\.sem is the host's"):
        spec_of(service(ipc="host", sysctls={"kernel.sem": "1"}))


def test_nothing_of_an_image_steers_the_result() -> None:
    """Labels, and variables that runtimes know, are data (design 5.4)."""
    orders = {
        "run.oci.handler": "wasm",
        "run.oci.hooks.stdout": "/etc/passwd",
        "io.podman.annotations.checkpoint.runtime.name": "x",
    }
    hostile = replace(
        IMAGE,
        labels=orders,
        env=(*IMAGE.env, "LD_PRELOAD=/x", "_STACKER=1"),
        exposed_ports=("1/x",),
    )
    plain = spec_of(service())
    found = cast("dict[str, Any]", build_spec(service(labels=orders), hostile, FACTS, INPUTS))
    assert found["process"]["env"][-3:-1] == ["LD_PRELOAD=/x", "_STACKER=1"]
    found["process"]["env"] = plain["process"]["env"]
    assert found == plain
    assert set(plain["annotations"]) == {"stacker.container", "stacker.id", "stacker.stack"}


def test_hidden_paths() -> None:
    linux = spec_of(service())["linux"]
    assert {"/proc/kcore", "/proc/keys", "/sys/firmware"} <= set(linux["maskedPaths"])
    assert "/proc/sys" in linux["readonlyPaths"]
    for shown in (service(privileged=True), service(security_opt={"unmask": True})):
        linux = spec_of(shown)["linux"]
        assert linux["maskedPaths"] == linux["readonlyPaths"] == []
    throttling = replace(FACTS, thermal_throttle=True)
    spec = cast("dict[str, Any]", build_spec(service(), IMAGE, throttling, INPUTS))
    assert "/sys/devices/system/cpu/cpu1/thermal_throttle" in spec["linux"]["maskedPaths"]
