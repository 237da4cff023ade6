"""Names over real sockets: from containers, past a restart, through upstreams, under attack."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from stacker.base.errors import Conflict
from stacker.drivers.networks import resolvers
from stacker.plan.network_specs import PortSpec
from tests.integration.networks.world import (
    HOST,
    LAN,
    World,
    address,
    ask,
    container,
    endpoint,
    inside,
    network,
    run,
)

pytestmark = pytest.mark.root


def query(name: str, kind: str = "A") -> bytes:
    return dns.message.make_query(name, kind).to_wire()


async def resolve(place: Path | None, server: str, name: str, kind: str = "A") -> list[str] | str:
    """The answer's data, or the word for why there is none."""
    wire = await ask(place, server, query(name, kind))
    if wire is None:
        return "silence"
    answer = dns.message.from_wire(wire)
    if answer.rcode() != dns.rcode.NOERROR:
        return dns.rcode.to_text(answer.rcode())
    return [str(item) for rrset in answer.answer for item in rrset]


@pytest.fixture
def upstream_is_lan(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The host's resolv.conf names the neighbour, and a dead server before it."""
    path = tmp_path / "resolv.conf"
    path.write_text(f"nameserver 127.0.0.99\nnameserver {LAN}\nsearch example.org\n")
    monkeypatch.setattr(resolvers.HostResolvers.__init__, "__defaults__", (path,))


@asynccontextmanager
async def upstream(place: Path, seen: list[str], *, honest: bool = False) -> AsyncGenerator[None]:
    """A name server that knows every name to be 203.0.113.5, over UDP and TCP."""
    datagrams = endpoint(place, socket.SOCK_DGRAM, ("0.0.0.0", 53))
    listener = endpoint(place, socket.SOCK_STREAM, ("0.0.0.0", 53))
    listener.listen()

    def answer(wire: bytes) -> bytes:
        asked = dns.message.from_wire(wire)
        seen.append(asked.question[0].name.to_text())
        response = dns.message.make_response(asked)
        text = f"{seen[-1]} 60 IN A 203.0.113.5"
        response.answer = dns.message.from_text(f"id 1\n;ANSWER\n{text}").answer
        return response.to_wire()

    async def reply() -> None:
        while True:
            await anyio.wait_readable(datagrams)
            wire, client = datagrams.recvfrom(4096)
            if not honest:
                datagrams.sendto(b"junk", client)
                datagrams.sendto(answer(b"\x00\x00" + wire[2:]), client)
            datagrams.sendto(answer(wire), client)

    async def accept() -> None:
        while True:
            await anyio.wait_readable(listener)
            connection, _ = listener.accept()
            with connection:
                await anyio.wait_readable(connection)
                wire = answer(connection.recv(4096)[2:])
                connection.send(len(wire).to_bytes(2, "big") + wire)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reply)
        tasks.start_soon(accept)
        try:
            yield
        finally:
            tasks.cancel_scope.cancel()
            datagrams.close()
            listener.close()


async def test_names_are_those_of_the_askers_networks(host: World) -> None:
    async with host.driver() as networks:
        front = await networks.ensure(network("front"))
        back = await networks.ensure(network("back"))
        web = await networks.attach(container("shop-web-1", "front", aliases=("web", "www")))
        second = await networks.attach(container("shop-web-2", "front", aliases=("web",)))
        db = await networks.attach(container("db", "back"))
        both = await networks.attach(container("both", "front", "back"))
        places = {name: Path(one.netns) for name, one in (("web", web), ("db", db), ("both", both))}

        async def check(who: str, server: str, name: str, expected: object) -> None:
            assert await resolve(places[who], server, name) == expected, (who, name)

        await check("web", front.gateway, "www", [address(web)])
        await check("web", front.gateway, "WwW.front", [address(web)])
        await check("web", front.gateway, "shop-web-2", [address(second)])
        await check("both", front.gateway, "db", [address(db)])
        await check("both", back.gateway, "www", [address(web)])
        await check("db", back.gateway, "both", [address(both, 1)])
        for _ in range(2):
            found = await resolve(places["both"], front.gateway, "web")
            assert sorted(found) == sorted([address(web), address(second)])
        firsts = {(await resolve(places["both"], front.gateway, "web"))[0] for _ in range(4)}
        assert firsts == {address(web), address(second)}
        assert await resolve(places["web"], front.gateway, "www", "AAAA") == []
        assert await resolve(None, front.gateway, "www") == [address(web)]
        assert await resolve(None, back.gateway, "www") != [address(web)]
        reverse = ".".join(reversed(address(web).split("."))) + ".in-addr.arpa"
        assert await resolve(places["both"], front.gateway, reverse, "PTR") == ["shop-web-1.front."]

        await networks.detach(second.container_id)
        await check("web", front.gateway, "web", [address(web)])


@pytest.mark.usefixtures("upstream_is_lan")
async def test_other_names_go_to_the_hosts_servers(host: World) -> None:
    seen: list[str] = []
    async with host.driver() as networks, upstream(host.lan, seen):
        front = await networks.ensure(network("front"))
        web = Path((await networks.attach(container("web", "front"))).netns)
        assert await resolve(web, front.gateway, "example.com") == ["203.0.113.5"]
        assert set(seen) == {"example.com."}
        with endpoint(web, socket.SOCK_STREAM) as one:
            one.setblocking(True)
            one.settimeout(5)
            wire = query("example.net")
            await anyio.to_thread.run_sync(one.connect, (front.gateway, 53))
            for _ in range(2):
                one.send(len(wire).to_bytes(2, "big") + wire)
                received = await anyio.to_thread.run_sync(one.recv, 4096)
                answer = dns.message.from_wire(received[2:])
                assert [str(item) for item in answer.answer[0]] == ["203.0.113.5"]
                assert answer.id == int.from_bytes(wire[:2], "big")


@pytest.mark.usefixtures("upstream_is_lan")
async def test_internal_networks_and_strangers_learn_nothing_of_the_outside(host: World) -> None:
    """CVE-2024-29018: not one query of an internal network reaches the outside."""
    seen: list[str] = []
    async with host.driver() as networks, upstream(host.lan, seen):
        vault = await networks.ensure(network("vault", internal=True))
        front = await networks.ensure(network("front"))
        safe = await networks.attach(container("safe", "vault"))
        place = Path(safe.netns)
        assert await resolve(place, vault.gateway, "safe") == [address(safe)]
        assert await resolve(place, vault.gateway, "secret.example.com") == "NXDOMAIN"
        with inside(place):
            run("ip", "route", "add", "default", "via", vault.gateway)
        assert await resolve(place, front.gateway, "secret.example.com") == "NXDOMAIN"
        assert await resolve(host.lan, front.gateway, "safe") == "silence"
        assert seen == []


async def test_a_containers_own_name_servers_are_asked(host: World) -> None:
    seen: list[str] = []
    async with host.driver() as networks, upstream(host.lan, seen):
        front = await networks.ensure(network("front"))
        web = await networks.attach(container("web", "front", dns=(LAN,)))
        place = Path(web.netns)
        assert await resolve(place, front.gateway, "example.com") == ["203.0.113.5"]
        assert await resolve(place, front.gateway, "web") == [address(web)]
        assert set(seen) == {"example.com."}


async def test_queries_wait_while_the_supervisor_restarts(host: World) -> None:
    async with host.driver() as networks:
        front = await networks.ensure(network("front"))
        web = await networks.attach(container("web", "front"))
    with endpoint(Path(web.netns), socket.SOCK_DGRAM) as one:
        one.connect((front.gateway, 53))
        one.send(query("web"))
        async with host.driver():
            with anyio.fail_after(5):
                await anyio.wait_readable(one)
            answer = dns.message.from_wire(one.recv(4096))
    assert [str(item) for item in answer.answer[0]] == [address(web)]


async def test_a_crowd_of_idle_connections_and_rubbish_stops_nobody(host: World) -> None:
    """CVE-2024-8418: one client's connections are capped, the others' queries are answered."""
    async with host.driver() as networks:
        front = await networks.ensure(network("front"))
        evil = Path((await networks.attach(container("evil", "front"))).netns)
        good = await networks.attach(container("good", "front"))
        place = Path(good.netns)
        idle = [endpoint(evil, socket.SOCK_STREAM) for _ in range(200)]
        for one in idle:
            one.connect_ex((front.gateway, 53))
        rubbish = (
            b"",
            b"\x00",
            query("good")[:11],
            b"\x00" * 12,
            b"\x12\x34\x01\x00\x00\x01" + b"\x00" * 6 + b"\xc0\x0c\x00\x01\x00\x01",
            b"\x12\x34\x80\x00" + query("good")[4:],
            b"\x12\x34\x01\x00\xff\xff" + b"\xff" * 4000,
        )
        with endpoint(evil, socket.SOCK_DGRAM) as flood:
            flood.connect((front.gateway, 53))
            for number in range(2000):
                flood.send(rubbish[number % len(rubbish)])
                if number % 50 == 0:
                    await anyio.wait_all_tasks_blocked()  # the server runs in this very loop
        for _ in range(20):
            assert await resolve(place, front.gateway, "good") == [address(good)]
        for one in idle:
            one.close()


async def test_a_container_that_publishes_port_53_does_not_take_our_names_away(
    host: World,
) -> None:
    ports = tuple(PortSpec(target=53, published=53, protocol=one) for one in ("udp", "tcp"))
    seen: list[str] = []
    async with host.driver() as networks:
        front = await networks.ensure(network("front"))
        pihole = await networks.attach(container("pihole", "front", ports=ports))
        await networks.ensure(network("back"))
        web = await networks.attach(container("web", "front"))
        async with upstream(Path(pihole.netns), seen, honest=True):
            assert await resolve(Path(web.netns), front.gateway, "web") == [address(web)]
            assert await resolve(None, front.gateway, "web") == [address(web)]
            assert seen == []
            assert await resolve(host.lan, HOST, "example.com") == ["203.0.113.5"]
            assert await resolve(Path(web.netns), HOST, "example.org") == ["203.0.113.5"]


async def test_a_name_server_of_the_host_in_the_way_is_named(host: World) -> None:
    async with host.driver() as networks:
        with (
            endpoint(None, socket.SOCK_DGRAM, ("0.0.0.0", 53)),
            pytest.raises(Conflict, match=r"name server on 10.89.0.1:53: taken by pytest"),
        ):
            await networks.ensure(network("front"))
        assert await networks.observe() == ()
        await networks.ensure(network("front"))


async def test_a_flood_is_cut_for_its_sender_alone(host: World) -> None:
    async with host.driver() as networks:
        front = await networks.ensure(network("front"))
        evil = Path((await networks.attach(container("evil", "front"))).netns)
        good = await networks.attach(container("good", "front"))
        with endpoint(evil, socket.SOCK_DGRAM) as flood:
            flood.connect((front.gateway, 53))
            for _ in range(20_000):
                flood.send(b"")
        for _ in range(20):
            assert await resolve(Path(good.netns), front.gateway, "good") == [address(good)]


async def test_resolv_conf_points_to_the_gateway(host: World) -> None:
    async with host.driver() as networks:
        front = await networks.ensure(network("front"))
        web = await networks.attach(container("web", "front"))
        text = networks.resolv_conf(web, dns=(), search=("example.org",), options=())
        assert text.startswith(f"nameserver {front.gateway}\nsearch example.org\n")
        assert f"{address(web)}\tbox\n" in networks.hosts(web, hostname="box", extra_hosts={})
