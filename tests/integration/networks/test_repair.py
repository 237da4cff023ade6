"""What others take away comes back, and meanwhile nothing stands open."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from runtime.linux.mount import MNT_DETACH, umount2
from stacker.drivers.networks import encode
from stacker.drivers.networks.networks import Networks
from stacker.plan.network_specs import PortSpec, Sandbox
from tests.integration.networks.world import (
    HOST,
    LAN,
    World,
    address,
    call,
    container,
    inside,
    is_shut,
    network,
    refuses,
    run,
    speaking,
    sysctl,
)

pytestmark = pytest.mark.root

WEB = (PortSpec(target=80, published=8080), PortSpec(target=80, published=8080, protocol="udp"))
DEADLINE_S = 5


@asynccontextmanager
async def a_stack(host: World) -> AsyncGenerator[tuple[Networks, Sandbox, Sandbox]]:
    async with host.driver() as networks:
        await networks.ensure(network("front"))
        await networks.ensure(network("back"))
        web = await networks.attach(container("web", "front", ports=WEB))
        db = await networks.attach(container("db", "back"))
        yield networks, web, db


async def woken(networks: Networks, *command: str) -> None:
    """Do something behind the driver's back and wait until it tells of it."""
    watching = networks.watch()
    async with anyio.create_task_group() as tasks:

        async def wait() -> None:
            with anyio.fail_after(DEADLINE_S):
                await anext(watching)

        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        run(*command)
    await watching.aclose()


BROKEN = {
    "bridge deleted": (("ip", "link", "del", "sk5ac0deb0"), "bridge sk5ac0deb0 is gone"),
    "bridge down": (("ip", "link", "set", "sk5ac0deb0", "down"), "bridge sk5ac0deb0 is down"),
    "bridge renamed": (
        ("sh", "-c", "ip link set sk5ac0deb0 down; ip link set sk5ac0deb0 name other"),
        "bridge sk5ac0deb0 is gone",
    ),
    "address deleted": (
        ("ip", "address", "del", "10.89.0.1/24", "dev", "sk5ac0deb0"),
        "address 10.89.0.1 is gone",
    ),
    "ip_forward off": (
        ("sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward"),
        "ip_forward is off",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_a_network_that_is_damaged_is_seen_and_repaired(host: World, case: str) -> None:
    command, problem = BROKEN[case]
    async with a_stack(host) as (networks, web, _), speaking("web", Path(web.netns), 80):
        await woken(networks, *command)
        seen = {one.name: one.problem for one in await networks.observe()}
        assert seen["front"] == problem
        await networks.ensure(network("front"))
        assert {one.problem for one in await networks.observe()} == {None}
        assert {one.problem for one in await networks.sandboxes()} == {None}
        for protocol in ("tcp", "udp"):
            assert await call(host.lan, HOST, 8080, protocol) == f"web {LAN}"
            assert await call(None, "127.0.0.1", 8080, protocol) == "web 10.89.0.1"


@pytest.mark.parametrize("case", ["deleted", "down", "off its bridge", "deleted inside"])
async def test_a_veth_that_is_damaged_is_seen_and_repaired(host: World, case: str) -> None:
    async with a_stack(host) as (networks, web, _), speaking("web", Path(web.netns), 80):
        (veth,) = [
            line.split("@")[0]
            for line in run("ip", "-br", "link", "show", "master", "sk5ac0deb0").splitlines()
        ]
        commands = {
            "deleted": f"ip link del {veth}",
            "down": f"ip link set {veth} down",
            "off its bridge": f"ip link set {veth} nomaster",
            "deleted inside": f"nsenter --net={web.netns} ip link del eth0",
        }
        expected = {"deleted inside": "veth on front is gone"}
        await woken(networks, "sh", "-c", commands[case])
        seen = {one.container_id: one.problem for one in await networks.sandboxes()}
        assert seen[web.container_id] == expected.get(case, f"veth on front is {case}").replace(
            "is deleted", "is gone"
        )
        again = await networks.attach(container("web", "front", ports=WEB))
        assert again == web
        assert {one.problem for one in await networks.sandboxes()} == {None}
        assert await call(host.lan, HOST, 8080) == f"web {LAN}"
        assert await is_shut(Path(web.netns), LAN, 1)


async def test_what_is_lost_inside_a_sandbox_comes_back_with_attach(host: World) -> None:
    async with a_stack(host) as (networks, web, _), speaking("lan", host.lan, 7000):
        with inside(Path(web.netns)):
            run("ip", "route", "flush", "all")
            run("ip", "address", "flush", "dev", "eth0")
            run("ip", "link", "set", "lo", "down")
        assert await is_shut(Path(web.netns), LAN, 7000)
        await networks.attach(container("web", "front", ports=WEB))
        assert await call(Path(web.netns), LAN, 7000) == f"lan {HOST}"


async def test_a_namespace_that_is_gone_is_made_again_with_the_same_address(host: World) -> None:
    async with a_stack(host) as (networks, web, _):
        umount2(web.netns, MNT_DETACH)
        seen = {one.container_id: one.problem for one in await networks.sandboxes()}
        assert seen[web.container_id] == "network namespace is gone"
        assert await networks.attach(container("web", "front", ports=WEB)) == web
        async with speaking("web", Path(web.netns), 80):
            assert await call(host.lan, HOST, 8080) == f"web {LAN}"


async def test_nobody_else_can_flush_the_rules(host: World) -> None:
    """The table has an owner: ``nft flush ruleset`` leaves it, between any two packets."""
    async with a_stack(host) as (_, web, db), speaking("db", Path(db.netns), 80):
        rules = run("nft", "list", "ruleset")
        if "flags owner" not in rules:
            pytest.skip("this kernel has no owned tables that persist (Linux 6.9)")
        run("nft", "flush", "ruleset")
        assert refuses("nft", "delete", "table", "ip", "stacker-5ac0de")
        assert run("nft", "list", "ruleset") == rules
        assert await is_shut(Path(web.netns), address(db), 80)
        assert await is_shut(host.lan, address(db), 80)


async def test_flushed_rules_are_put_back_where_tables_have_no_owner(
    host: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a flag that no kernel knows: refused as an old kernel refuses the owner's
    monkeypatch.setattr(encode, "PERSISTENT", 1 << 30)
    async with a_stack(host) as (networks, web, db), speaking("db", Path(db.netns), 80):
        rules = run("nft", "list", "ruleset")
        assert "owner" not in rules
        for command in ("flush ruleset", "flush chain ip stacker-5ac0de between"):
            run("nft", *command.split())
            with anyio.fail_after(DEADLINE_S):
                while run("nft", "list", "ruleset") != rules:
                    await anyio.lowlevel.checkpoint()
            assert await is_shut(Path(web.netns), address(db), 80)
            assert {one.problem for one in await networks.observe()} == {None}


async def test_the_next_supervisor_goes_on_where_the_last_one_was(host: World) -> None:
    async with a_stack(host) as (networks, web, _):
        observed, sandboxes = await networks.observe(), await networks.sandboxes()
        rules = run("nft", "list", "ruleset")

    # nobody is there: everything works, nobody may take the port or the rules
    async with speaking("web", Path(web.netns), 80):
        assert await call(host.lan, HOST, 8080) == f"web {LAN}"
    run("nft", "flush", "ruleset")
    assert run("nft", "list", "ruleset") == rules

    async with host.driver() as networks:
        assert await networks.observe() == observed
        assert await networks.sandboxes() == sandboxes
        assert run("nft", "list", "ruleset") == rules
        assert await networks.attach(container("web", "front", ports=WEB)) == web
        async with speaking("web", Path(web.netns), 80):
            assert await call(host.lan, HOST, 8080) == f"web {LAN}"


async def test_lost_sockets_and_a_table_of_nobody_are_taken_again(host: World) -> None:
    """The monitor died with the supervisor: reservations and ownership are made anew."""
    async with a_stack(host) as (_, web, _):
        held = set(host.kept.held)
    host.kept.lose()
    async with host.driver() as networks, speaking("web", Path(web.netns), 80):
        assert set(host.kept.held) == held
        assert {one.problem for one in await networks.observe()} == {None}
        assert await call(host.lan, HOST, 8080) == f"web {LAN}"


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"version": 99}', b"\x00" * 100])
async def test_a_damaged_state_file_is_set_aside(host: World, damage: bytes) -> None:
    async with a_stack(host):
        pass
    path = host.directory / "5ac0de" / "networks.json"
    assert json.loads(path.read_bytes())["version"]
    path.write_bytes(damage)
    async with host.driver() as networks:
        assert await networks.observe() == ()
        await networks.sweep([])
        assert (path.parent / "networks.json.corrupt").read_bytes() == damage
        assert "sk5ac0de" not in run("ip", "-br", "link")
        assert run("nft", "list", "ruleset") == ""
        await networks.ensure(network("front"))
        web = await networks.attach(container("web", "front", ports=WEB))
        async with speaking("web", Path(web.netns), 80):
            assert await call(host.lan, HOST, 8080) == f"web {LAN}"


async def test_a_lost_state_file_is_rebuilt_from_the_kernel(host: World) -> None:
    """Bridges, subnets and addresses of running containers stay what they are."""
    async with a_stack(host) as (networks, _, _):
        observed, sandboxes = await networks.observe(), await networks.sandboxes()
    (host.directory / "5ac0de" / "networks.json").unlink()
    async with host.driver() as networks:
        await networks.ensure(network("new"))
        for name in ("back", "front"):
            await networks.ensure(network(name))
        db = await networks.attach(container("db", "back"))
        web = await networks.attach(container("web", "front", ports=WEB))
        assert set(await networks.observe()) > set(observed)
        assert {web, db} == set(sandboxes)
        async with speaking("web", Path(web.netns), 80):
            assert await call(host.lan, HOST, 8080) == f"web {LAN}"
        for one in (web, db):
            await networks.detach(one.container_id)
        for name in ("front", "back", "new"):
            await networks.remove(name)
    assert sysctl("net.ipv4.ip_forward") == "0"
