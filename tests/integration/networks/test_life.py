"""Networks and sandboxes come, are the same when asked again, and go without a trace."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from runtime.linux.mount import MNT_DETACH, umount2
from runtime.linux.namespaces import owner_of as owner_of_namespace
from stacker.base.errors import Conflict, Invalid, NotFound, StackerError, Unavailable
from stacker.base.id_range import IdRange
from stacker.drivers.networks.networks import Networks
from stacker.plan.network_specs import EndpointSpec, NetworkSpec, PortSpec, Sandbox, SandboxSpec
from tests.integration.networks.world import (
    HOST,
    LAN,
    World,
    address,
    call,
    container,
    endpoint,
    inside,
    links,
    network,
    run,
    speaking,
    sysctl,
    write_sysctl,
)

pytestmark = pytest.mark.root

WEB = (PortSpec(target=80, published=8080),)


async def test_all_of_it_is_gone_in_the_end(host: World) -> None:
    before = links()
    assert sysctl("net.ipv4.ip_forward") == "0"
    async with host.driver() as networks:
        await networks.ensure(network("front"))
        await networks.ensure(network("vault", internal=True))
        web = await networks.attach(container("web", "front", "vault", ports=WEB))
        assert sysctl("net.ipv4.ip_forward") == "1"
        with pytest.raises(Conflict, match="network front: container web is still on it"):
            await networks.remove("front")
        for _ in range(2):
            await networks.detach(web.container_id)
            await networks.remove("front")
        assert sysctl("net.ipv4.ip_forward") == "0"
        await networks.remove("vault")
        assert await networks.observe() == ()
        assert await networks.sandboxes() == ()
    assert links() == before
    assert run("nft", "list", "ruleset") == ""
    assert host.kept.held == {}
    assert os.listdir(host.directory / "5ac0de" / "netns") == []


async def test_ip_forward_goes_back_to_what_it_was_with_the_last_supervisor(host: World) -> None:
    async with host.driver("5ac0de") as one, host.driver("0ddba1") as other:
        await one.ensure(network("front"))
        await other.ensure(network("front"))
        await one.remove("front")
        assert sysctl("net.ipv4.ip_forward") == "1"
        await other.remove("front")
        assert sysctl("net.ipv4.ip_forward") == "0"

    write_sysctl("net.ipv4.ip_forward", "1")
    async with host.driver() as networks:
        await networks.ensure(network("front"))
        await networks.remove("front")
    assert sysctl("net.ipv4.ip_forward") == "1"


async def test_a_bridge_that_the_file_has_named_tells_other_supervisors_too(host: World) -> None:
    async with host.driver("5ac0de") as one, host.driver("0ddba1") as other:
        await other.ensure(replace(network("front"), bridge="mybridge"))
        await one.ensure(network("front"))
        await one.remove("front")
        assert sysctl("net.ipv4.ip_forward") == "1"
        await one.ensure(network("front"))
        await other.remove("front")
        await one.remove("front")
    assert sysctl("net.ipv4.ip_forward") == "0"


async def test_supervisors_that_come_and_go_at_once_leave_ip_forward_as_it_was(
    host: World,
) -> None:
    async def come_and_go(networks: Networks) -> None:
        for _ in range(25):
            await networks.ensure(network("front"))
            await networks.remove("front")

    async with (
        host.driver("5ac0de") as one,
        host.driver("0ddba1") as other,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(come_and_go, one)
        tasks.start_soon(come_and_go, other)
    assert sysctl("net.ipv4.ip_forward") == "0"


async def test_asking_again_changes_nothing(host: World) -> None:
    async with host.driver() as networks:
        first = (
            await networks.ensure(network("front")),
            await networks.attach(container("web", "front", ports=WEB)),
        )
        shown = run("ip", "-o", "-4", "address"), run("nft", "list", "ruleset")
        again = (
            await networks.ensure(network("front")),
            await networks.attach(container("web", "front", ports=WEB)),
        )
        assert again == first
        assert (run("ip", "-o", "-4", "address"), run("nft", "list", "ruleset")) == shown


async def test_fifty_at_once_have_fifty_addresses(host: World) -> None:
    async with host.driver() as networks:
        await networks.ensure(network("front"))
        found: set[str] = set()

        async def attach(number: int) -> None:
            found.add(address(await networks.attach(container(f"c{number}", "front"))))

        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(attach, number)
        assert len(found) == 50
        assert {sandbox.problem for sandbox in await networks.sandboxes()} == {None}


async def test_a_stack_of_another_declares_an_external_network(host: World) -> None:
    external = NetworkSpec(name="front", stack="other", key="f", fingerprint="f", external=True)
    async with host.driver() as networks:
        with pytest.raises(NotFound, match="network front: it is external"):
            await networks.ensure(external)
        made = await networks.ensure(network("front"))
        found = await networks.ensure(external)
        assert (found.stack, found.bridge) == ("other", made.bridge)


async def test_a_shape_that_changes_makes_the_network_anew(host: World) -> None:
    async with host.driver() as networks:
        await networks.ensure(network("front"))
        changed = await networks.ensure(
            network("front", subnet="10.99.0.0/24", gateway="10.99.0.9", bridge="shopbr", mtu=1400)
        )
        web = await networks.attach(container("web", "front"))
        assert (changed.subnet, changed.gateway, changed.bridge) == (
            "10.99.0.0/24",
            "10.99.0.9",
            "shopbr",
        )
        assert "shopbr" in links()
        with inside(Path(web.netns)):
            assert "mtu 1400" in run("ip", "link", "show", "eth0")
        with pytest.raises(Conflict, match="container web is still on it"):
            await networks.ensure(network("front"))
        assert (await networks.sandboxes())[0].problem is None


async def test_wishes_of_an_endpoint_are_kept(host: World) -> None:
    wish = EndpointSpec(
        network="front",
        ipv4_address="10.99.0.77",
        mac_address="02:00:00:00:00:77",
        interface_name="uplink",
    )
    spec = SandboxSpec(
        container_id="a" * 64,
        stack="shop",
        name="web",
        endpoints=(wish,),
        sysctls={"net.core.somaxconn": "77", "net.ipv4.ip_unprivileged_port_start": "0"},
    )
    async with host.driver() as networks:
        await networks.ensure(network("front", subnet="10.99.0.0/24"))
        made = await networks.attach(spec)
        with inside(Path(made.netns)):
            shown = run("ip", "address", "show", "uplink")
            assert sysctl("net.core.somaxconn") == "77"
    assert "02:00:00:00:00:77" in shown
    assert "10.99.0.77/24" in shown


async def test_no_network_is_loopback_only(host: World) -> None:
    async with host.driver() as networks:
        made = await networks.attach(container("lonely"))
        assert (made.endpoints, made.name_servers) == ((), ())
        async with speaking("lonely", Path(made.netns), 80):
            assert await call(Path(made.netns), "127.0.0.1", 80) == "lonely 127.0.0.1"


async def test_counters_are_the_containers_view(host: World) -> None:
    async with host.driver() as networks:
        await networks.ensure(network("front"))
        web = await networks.attach(container("web", "front"))
        before = await networks.counters(web.container_id)
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with one:
            one.sendto(bytes(1000), (address(web), 9))
        with anyio.fail_after(5):
            while (await networks.counters(web.container_id))[0] < before[0] + 1000:
                await anyio.lowlevel.checkpoint()
        assert (await networks.counters("f" * 64)) == (0, 0)


async def test_sweep_removes_what_nobody_needs_or_remembers(host: World) -> None:
    before = links()
    async with host.driver() as networks:
        await networks.ensure(network("front"))
        kept = await networks.attach(container("kept", "front"))
        await networks.attach(container("gone", "front", ports=WEB))
        # what a crash has left: a namespace and a link of ours that no record names
        (Path(kept.netns).parent / "stray").touch()
        run("ip", "link", "add", "sk5ac0devstray0", "type", "bridge")
        run("ip", "link", "add", "skabcdefv123456", "type", "bridge")
        await networks.sweep([kept.container_id])
        assert [one.container_id for one in await networks.sandboxes()] == [kept.container_id]
        assert os.listdir(Path(kept.netns).parent) == [kept.container_id]
        assert "sk5ac0devstray0" not in links()
        assert "skabcdefv123456" in links()
        assert len(links() - before) == 3


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        (
            {"subnet": "192.168.77.128/25"},
            Conflict,
            "network bad: subnet 192.168.77.128/25 overlaps with the host's route 192.168.77.0/24",
        ),
        (
            {"subnet": "10.99.0.0/16"},
            Conflict,
            "network bad: subnet 10.99.0.0/16 overlaps with network front (10.99.0.0/24)",
        ),
        ({"subnet": "10.98.0.1/24"}, Invalid, "network bad: subnet 10.98.0.1/24"),
        ({"subnet": "10.98.0.0/31"}, Invalid, "no room for a container"),
        (
            {"subnet": "10.98.0.0/24", "gateway": "10.97.0.1"},
            Invalid,
            "network bad: gateway 10.97.0.1 is not in its subnet 10.98.0.0/24",
        ),
        (
            {"subnet": "10.98.0.0/24", "ip_range": "10.97.0.0/25"},
            Invalid,
            "network bad: ip_range 10.97.0.0/25 is not in its subnet 10.98.0.0/24",
        ),
        ({"bridge": "wire"}, Conflict, "interface wire belongs to somebody else"),
        ({"bridge": "a-very-long-name"}, Invalid, "has 1 to 15 bytes"),
    ],
)
async def test_a_bad_network_is_refused_and_nothing_is_made(
    host: World, spec: dict[str, str], error: type[StackerError], message: str
) -> None:
    async with host.driver() as networks:
        await networks.ensure(network("front", subnet="10.99.0.0/24"))
        before = links(), run("nft", "list", "ruleset")
        with pytest.raises(error) as caught:
            await networks.ensure(network("bad", **spec))
        assert message in str(caught.value)
        assert (links(), run("nft", "list", "ruleset")) == before
        assert len(await networks.observe()) == 1


async def test_a_taken_port_names_its_holder_and_nothing_is_made(host: World) -> None:
    async with host.driver() as networks:
        await networks.ensure(network("front"))
        await networks.attach(container("web", "front", ports=WEB))
        before = links(), run("nft", "list", "ruleset"), sorted(host.kept.held)
        holder = f"pytest (pid {os.getpid()})"
        with socket.create_server(("", 9090)), socket.create_server(("127.0.0.1", 9091)):
            for port, message in (
                (
                    PortSpec(target=80, published=9090),
                    f"container api: port 9090/tcp on 0.0.0.0 is taken by {holder}",
                ),
                (
                    PortSpec(target=80, published=9091),
                    f"port 9091/tcp on 0.0.0.0 is taken by {holder}",
                ),
                (
                    PortSpec(target=80, published=8080, host_ip=HOST),
                    f"container api: port 8080/tcp on {HOST} is taken by container web",
                ),
            ):
                free = PortSpec(target=81, published=8081)
                with pytest.raises(Conflict) as caught:
                    await networks.attach(container("api", "front", ports=(free, port)))
                assert message in str(caught.value)
                with pytest.raises(Conflict):
                    await networks.check_ports([free, port], besides=[])
        far = PortSpec(target=80, published=1, host_ip="203.0.113.1")
        with pytest.raises(Unavailable, match="no interface of this host has that address"):
            await networks.attach(container("api", "front", ports=(far,)))
        assert (links(), run("nft", "list", "ruleset"), sorted(host.kept.held)) == before
        assert len(await networks.sandboxes()) == 1
        web = container("web").container_id
        await networks.check_ports(WEB, besides=[web])


async def test_ports_on_internal_networks_are_refused(host: World) -> None:
    async with host.driver() as networks:
        await networks.ensure(network("vault", internal=True))
        with pytest.raises(Invalid, match="port 80/tcp cannot be published"):
            await networks.attach(container("web", "vault", ports=WEB))
        assert await networks.sandboxes() == ()


async def test_a_free_port_is_chosen_and_stays(host: World) -> None:
    ports = (PortSpec(target=80, published=None), PortSpec(target=80, published=None))
    async with host.driver() as networks:
        await networks.ensure(network("front"))
        web = await networks.attach(container("web", "front", ports=ports))
        numbers = [port.published for port in web.ports]
        assert len(set(numbers)) == 2
        async with speaking("web", Path(web.netns), 80):
            assert await call(host.lan, HOST, numbers[0]) == f"web {LAN}"
            assert await call(host.lan, HOST, numbers[1]) == f"web {LAN}"
        again = await networks.attach(container("web", "front", ports=ports))
        assert again.ports == web.ports


async def test_a_full_network_says_so(host: World) -> None:
    async with host.driver() as networks:
        await networks.ensure(network("front", subnet="10.99.0.0/30"))
        await networks.attach(container("one", "front"))
        with pytest.raises(Conflict, match=r"network front: all addresses of 10.99.0.0/30"):
            await networks.attach(container("two", "front"))
        wish = EndpointSpec(network="front", ipv4_address="10.99.0.2")
        rival = SandboxSpec(container_id="b" * 64, stack="s", name="b", endpoints=(wish,))
        with pytest.raises(Conflict, match=r"address 10.99.0.2 is in use by container one"):
            await networks.attach(rival)
        with pytest.raises(NotFound, match="container lost: network nowhere does not exist"):
            await networks.attach(container("lost", "nowhere"))
        assert len(await networks.sandboxes()) == 1


async def test_a_udp_client_that_never_stops_is_led_to_the_next_container(host: World) -> None:
    ports = (PortSpec(target=80, published=8080, protocol="udp"),)
    with endpoint(host.lan, socket.SOCK_DGRAM) as client:
        client.connect((HOST, 8080))

        async def answered_by(name: str) -> None:
            with anyio.fail_after(5):
                while True:
                    with suppress(OSError):  # refused while there is nobody
                        client.send(b"?")
                    with suppress(OSError), anyio.move_on_after(0.05):
                        await anyio.wait_readable(client)
                        if client.recv(512).split()[0] == name.encode():
                            return

        with suppress(OSError):
            client.send(b"here before anybody")
        async with host.driver() as networks:
            await networks.ensure(network("front"))
            for name in ("one", "two"):
                made = await networks.attach(container(name, "front", ports=ports))
                async with speaking(name, Path(made.netns), 80):
                    await answered_by(name)
                await networks.detach(made.container_id)


IDS = IdRange(3_000_000_000, 65536)


def owner_of(sandbox: Sandbox) -> str:
    with open(sandbox.netns) as namespace:
        fd = owner_of_namespace(namespace.fileno())
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)


async def test_a_user_namespace_owns_the_network_of_who_has_ids(host: World) -> None:
    run_directory = host.directory / "5ac0de"
    async with host.driver() as networks:
        await networks.ensure(network("front"))
        plain = await networks.attach(container("plain", "front"))
        assert plain.userns is None
        web = await networks.attach(container("web", "front", ids=IDS))
        assert web.userns is not None
        pinned = os.stat(web.userns)
        assert owner_of(web) == f"user:[{pinned.st_ino}]" != owner_of(plain)
        mapped = run("nsenter", f"--user={web.userns}", "cat", "/proc/self/uid_map").split()
        assert mapped == ["0", str(IDS.first), str(IDS.size)]
        async with speaking("web", Path(web.netns), 80):
            assert await call(Path(plain.netns), address(web), 80) == f"web {address(plain)}"

    async with host.driver() as networks:  # the next supervisor
        assert await networks.attach(container("web", "front", ids=IDS)) == web
        assert os.stat(web.userns).st_ino == pinned.st_ino
        umount2(web.userns, MNT_DETACH)
        problems = {one.container_id: one.problem for one in await networks.sandboxes()}
        assert problems[web.container_id] == "user namespace is gone"
        await networks.attach(container("web", "front", ids=IDS))
        assert os.stat(web.userns).st_ino == pinned.st_ino
        assert {one.problem for one in await networks.sandboxes()} == {None}

        (run_directory / "userns/stray").touch()
        await networks.sweep([web.container_id])
        assert os.listdir(run_directory / "userns") == [web.container_id]
        await networks.detach(web.container_id)
    assert os.listdir(run_directory / "userns") == os.listdir(run_directory / "netns") == []
