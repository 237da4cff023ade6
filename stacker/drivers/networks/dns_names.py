"""Who may ask for which names, and what they mean: an index over the sandboxes, pure.

A container asks from its own address, and learns the names of the networks that it is on. Names
compare without regard to case (RFC 4343).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stacker.drivers.networks.records import Records


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """What one source address may know."""

    networks: tuple[str, ...]
    """In the order of its endpoints: the first that has a name answers."""
    forwards: bool
    """Whether other names are asked of the outside; not from internal networks alone."""
    upstreams: tuple[str, ...] = ()
    """Its own name servers; empty: the host's."""
    links: Mapping[str, str] = field(default_factory=dict[str, str])
    """What it alone calls others, to their names."""


@dataclass(frozen=True, slots=True)
class Names:
    """All names and askers, of one moment."""

    askers: dict[str, Asker] = field(default_factory=dict[str, Asker])
    """By source address."""
    addresses: dict[str, dict[str, tuple[str, ...]]] = field(
        default_factory=dict[str, dict[str, tuple[str, ...]]]
    )
    """Network to name to addresses."""
    pointers: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    """Network to address to name."""

    def lookup(self, asker: Asker, name: str) -> tuple[str, ...] | None:
        """The addresses of a name, with or without ``.NETWORK`` behind it; None: unknown."""
        wanted = name.rstrip(".").lower()
        wanted = asker.links.get(wanted, wanted)
        for network in asker.networks:
            known = self.addresses.get(network, {})
            found = known.get(wanted) or known.get(wanted.removesuffix(f".{network.lower()}"))
            if found:
                return found
        return None

    def pointer(self, asker: Asker, address: str) -> str | None:
        for network in asker.networks:
            found = self.pointers.get(network, {}).get(address)
            if found:
                return found
        return None


def index(records: Records) -> Names:
    """Build the index; the gateways' addresses ask for the host itself."""
    names = Names()
    for network in records.networks.values():
        spec = network.spec
        names.addresses[spec.name] = {}
        names.pointers[spec.name] = {}
        names.askers[network.gateway] = Asker(networks=(spec.name,), forwards=True)

    for record in records.sandboxes.values():
        joined = tuple(endpoint.network for endpoint in record.sandbox.endpoints)
        asker = Asker(
            networks=joined,
            forwards=any(_is_open(records, network) for network in joined),
            upstreams=record.spec.dns,
            links={alias.lower(): name.lower() for alias, name in record.spec.links},
        )
        wishes = {wish.network: wish for wish in record.spec.endpoints}
        for endpoint in record.sandbox.endpoints:
            names.askers[endpoint.ipv4_address] = asker
            known = names.addresses.setdefault(endpoint.network, {})
            for alias in (*wishes[endpoint.network].aliases, record.spec.name):
                key = alias.lower()
                if endpoint.ipv4_address not in known.get(key, ()):
                    known[key] = (*known.get(key, ()), endpoint.ipv4_address)
            pointers = names.pointers.setdefault(endpoint.network, {})
            pointers[endpoint.ipv4_address] = f"{record.spec.name}.{endpoint.network}"
    return names


def _is_open(records: Records, network: str) -> bool:
    record = records.networks.get(network)
    return record is not None and not record.spec.internal
