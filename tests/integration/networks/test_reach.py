"""Who reaches whom: the matrix of ``ruleset``'s docstring, with packets."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import pytest

from stacker.plan.network_specs import PortSpec
from tests.integration.networks.world import (
    DROPPED_S,
    HOST,
    HOST_SECOND,
    LAN,
    PATIENCE_S,
    World,
    address,
    call,
    container,
    inside,
    is_shut,
    network,
    run,
    speaking,
)

pytestmark = pytest.mark.root

PORTS = (
    PortSpec(target=80, published=8080),
    PortSpec(target=80, published=8080, protocol="udp"),
    PortSpec(target=80, published=8081, host_ip="127.0.0.1"),
    PortSpec(target=80, published=8081, host_ip="127.0.0.1", protocol="udp"),
    PortSpec(target=80, published=8082, host_ip=HOST),
)

# (address, port, protocol): who gets an answer, and from whom; everybody else gets none
MATRIX = {
    ("web", 80, "tcp"): ("web", {"host", "web", "api", "both"}),
    ("api", 80, "udp"): ("api", {"host", "web", "api", "both"}),
    ("db", 80, "tcp"): ("db", {"host", "db", "both"}),
    ("vault", 80, "tcp"): ("vault", {"host", "vault"}),
    (HOST, 8080, "tcp"): ("web", {"host", "lan", "web", "api", "db", "both"}),
    (HOST, 8080, "udp"): ("web", {"host", "lan", "web", "api", "db", "both"}),
    (HOST_SECOND, 8080, "tcp"): ("web", {"host", "lan", "web", "api", "db", "both"}),
    ("front gateway", 8080, "tcp"): ("web", {"host", "lan", "web", "api", "db", "both"}),
    ("127.0.0.1", 8080, "tcp"): ("web", {"host"}),
    ("127.0.0.1", 8080, "udp"): ("web", {"host"}),
    ("127.0.0.1", 8081, "tcp"): ("web", {"host"}),
    ("127.0.0.1", 8081, "udp"): ("web", {"host"}),
    (HOST, 8081, "tcp"): ("web", set()),
    (HOST, 8082, "tcp"): ("web", {"host", "lan", "web", "api", "db", "both"}),
    (HOST_SECOND, 8082, "tcp"): ("web", set()),
    (HOST, 9000, "tcp"): ("host", {"host", "lan", "web", "api", "db", "both"}),
    ("vault gateway", 9000, "tcp"): ("host", {"host", "web", "api", "db", "both"}),
    (LAN, 7000, "tcp"): ("lan", {"host", "lan", "web", "api", "db", "both"}),
    (LAN, 7000, "udp"): ("lan", {"host", "lan", "web", "api", "db", "both"}),
}


@pytest.mark.parametrize("bridge_netfilter", [False, True])
async def test_everybody_reaches_just_whom_they_may(host: World, bridge_netfilter: bool) -> None:
    _set_bridge_netfilter(bridge_netfilter)
    async with host.driver() as networks, AsyncExitStack() as speakers:
        gateways = {}
        for name, internal in (("front", False), ("back", False), ("vault", True)):
            made = await networks.ensure(network(name, internal=internal))
            gateways[f"{name} gateway"] = made.gateway
        sandboxes = {
            "web": await networks.attach(container("web", "front", ports=PORTS)),
            "api": await networks.attach(container("api", "front")),
            "db": await networks.attach(container("db", "back")),
            "both": await networks.attach(container("both", "front", "back")),
            "vault": await networks.attach(container("vault", "vault")),
        }
        places: dict[str, Path | None] = {
            name: Path(sandbox.netns) for name, sandbox in sandboxes.items()
        }
        places |= {"host": None, "lan": host.lan}
        for name, place in places.items():
            port = {"host": 9000, "lan": 7000}.get(name, 80)
            await speakers.enter_async_context(speaking(name, place, port))

        limited = anyio.Semaphore(24)
        found: dict[tuple[str, int, str], set[str]] = {}
        answers: dict[tuple[str, str, int, str], str] = {}

        async def probe(caller: str, target: tuple[str, int, str]) -> None:
            where, port, protocol = target
            to = gateways.get(where) or (address(sandboxes[where]) if where in places else where)
            async with limited:
                patience_s = PATIENCE_S if caller in MATRIX[target][1] else DROPPED_S
                answer = await call(places[caller], to, port, protocol, patience_s=patience_s)
            if answer is not None:
                found[target].add(caller)
                answers[caller, where, port, protocol] = answer

        async with anyio.create_task_group() as tasks:
            for target in MATRIX:
                found[target] = set()
                for caller in places:
                    tasks.start_soon(probe, caller, target)

        wrong = {
            target: {"shut out": callers - found[target], "let in": found[target] - callers}
            for target, (_, callers) in MATRIX.items()
            if callers != found[target]
        }
        assert wrong == {}
        expected = {target: who for target, (who, _) in MATRIX.items()}
        assert {key: answer.split()[0] for key, answer in answers.items()} == {
            key: expected[key[1:]] for key in answers
        }
        # the way out wears the host's address, the way in keeps the caller's
        assert answers["api", LAN, 7000, "tcp"] == f"lan {HOST}"
        assert answers["lan", HOST, 8080, "tcp"] == f"web {LAN}"


async def test_loopback_stays_the_hosts_own(host: World) -> None:
    """127.0.0.1 by way of the wire or of a bridge: neither ports nor the host's services."""
    async with host.driver() as networks:
        made = await networks.ensure(network("front"))
        web = await networks.attach(container("web", "front", ports=PORTS))
        evil = await networks.attach(container("evil", "front"))
        for place, gateway in ((host.lan, HOST), (Path(evil.netns), made.gateway)):
            _route_loopback_to(place, gateway)
        async with (
            speaking("web", Path(web.netns), 80),
            speaking("host", None, 9000),
        ):
            assert await call(None, "127.0.0.1", 8081) == f"web {made.gateway}"
            for place in (host.lan, Path(evil.netns)):
                for port in (8080, 8081, 9000):
                    assert await is_shut(place, "127.0.0.1", port)
                    assert await is_shut(place, "127.0.0.1", port, "udp")


async def test_a_container_on_two_networks_has_both_links_and_one_way_out(host: World) -> None:
    async with host.driver() as networks:
        for name, internal in (("vault", True), ("front", False)):
            await networks.ensure(network(name, internal=internal))
        both = await networks.attach(container("both", "vault", "front"))
        with inside(Path(both.netns)):
            routes = run("ip", "route", "show", "default")
            shown = run("ip", "-br", "address")
    assert f"via {both.endpoints[1].gateway} dev eth1" in routes
    assert f"{address(both, 0)}/24" in shown
    assert f"{address(both, 1)}/24" in shown
    assert both.name_servers == (both.endpoints[0].gateway,)


def _set_bridge_netfilter(on: bool) -> None:
    switch = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    if switch.exists():
        switch.write_text(str(int(on)))
    elif on:
        pytest.skip("this kernel has no br_netfilter")


def _route_loopback_to(place: Path, gateway: str) -> None:
    """Make a namespace send 127.0.0.1 over its wire, as a hostile neighbour would."""
    with inside(place):
        run("ip", "address", "del", "127.0.0.1/8", "dev", "lo")
        run("ip", "route", "add", "127.0.0.0/8", "via", gateway)
        for name in ("all", "eth0"):
            Path(f"/proc/sys/net/ipv4/conf/{name}/route_localnet").write_text("1")
