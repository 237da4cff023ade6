from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacker.base.errors import Conflict, Invalid
from stacker.drivers.networks import ipam

SUBNET = IPv4Network("10.89.0.0/24")
networks = st.builds(
    lambda address, length: IPv4Network((address, length), strict=False),
    st.integers(0, 2**32 - 1),
    st.integers(0, 32),
)
near = st.builds(
    lambda pool, offset, length: IPv4Network(
        (int(pool.network_address) + offset % pool.num_addresses, length), strict=False
    ),
    st.sampled_from(ipam.POOLS),
    st.integers(0, 2**16),
    st.integers(12, 32),
)


@given(st.lists(networks | near, max_size=40))
def test_a_free_subnet_overlaps_with_no_route_that_is_a_claim(routes: list[IPv4Network]) -> None:
    claims = ipam.route_claims(routes)
    try:
        subnet = ipam.free_subnet(claims)
    except Conflict:
        return
    assert subnet.prefixlen == ipam.PREFIX_LENGTH
    assert not any(subnet.overlaps(claim.network) for claim in claims)


@given(st.sets(st.integers(1, 254), max_size=253), st.integers(0, 255) | st.none())
def test_a_free_address_is_free_and_usable(taken: set[int], after: int | None) -> None:
    held = [str(SUBNET[number]) for number in taken]
    last = None if after is None else str(SUBNET[after])
    found = ipam.free_address("n", SUBNET, SUBNET, held, after=last)
    assert found not in held
    assert IPv4Address(found) in SUBNET
    assert found not in (str(SUBNET[0]), str(SUBNET[255]))


def test_addresses_go_round() -> None:
    found = ipam.free_address("n", SUBNET, SUBNET, ["10.89.0.1"], after=None)
    assert found == "10.89.0.2"
    assert ipam.free_address("n", SUBNET, SUBNET, [], after="10.89.0.2") == "10.89.0.3"
    assert ipam.free_address("n", SUBNET, SUBNET, [], after="10.89.0.254") == "10.89.0.1"


def test_a_default_route_and_its_halves_claim_nothing() -> None:
    routes = [IPv4Network(text) for text in ("0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "10.0.0.0/8")]
    assert [claim.network for claim in ipam.route_claims(routes)] == [IPv4Network("10.0.0.0/8")]
    assert ipam.free_subnet(ipam.route_claims(routes)) == IPv4Network("172.27.0.0/24")


def test_no_pool_left_says_what_to_do() -> None:
    claims = [ipam.Claim(pool, "x") for pool in ipam.POOLS]
    with pytest.raises(Conflict, match="give the network a subnet of its own"):
        ipam.free_subnet(claims)


@pytest.mark.parametrize(
    ("gateway", "error"),
    [("10.89.0.0", Invalid), ("10.89.0.255", Invalid), ("10.88.0.1", Invalid), ("x", Invalid)],
)
def test_a_gateway_outside_is_refused(gateway: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        ipam.gateway("n", SUBNET, gateway)


def test_a_gateway_is_the_first_address_or_the_declared_one() -> None:
    assert str(ipam.gateway("n", SUBNET, None)) == "10.89.0.1"
    assert str(ipam.gateway("n", SUBNET, "10.89.0.254")) == "10.89.0.254"
