"""Whom a registry client may talk to, in clear or not, and who may see credentials.

Pure: every decision is made from names and addresses alone. The rules come from the advisories of
the field (CVE-2020-15157, CVE-2026-48978, CVE-2026-49349, CVE-2026-65388, CVE-2026-92543):

1. Plain HTTP is spoken only to a literal loopback address, to `localhost`, and to registries that
   the user has listed; never because of what a name resolves to.
2. Credentials, and our certificate, go to the registry they belong to, and to the token servers
   known to be its own.
3. A redirect or a realm never lowers https to http.
4. A registry on the public network does not send us to a private, loopback or link-local address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address

from yarl import URL

from stacker.base.errors import Denied

API_HOSTS = {"docker.io": "registry-1.docker.io"}
"""Domains of references whose registry is found under another name."""

OWN_REALMS: Mapping[str, frozenset[str]] = {
    "docker.io": frozenset({"auth.docker.io"}),
    "registry.gitlab.com": frozenset({"gitlab.com"}),
}
"""Token servers that belong to a registry of another name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The registry a reference names."""

    domain: str
    """As in the reference: the key of credentials and of settings."""
    plain_allowed: bool
    realms: frozenset[str] = field(default_factory=frozenset[str])
    """Other hosts that may get this registry's credentials."""

    @classmethod
    def of(
        cls,
        domain: str,
        *,
        insecure: frozenset[str] = frozenset(),
        realms: Mapping[str, frozenset[str]] = OWN_REALMS,
    ) -> Home:
        plain = is_loopback(_host(domain)) or domain in insecure
        return cls(domain=domain, plain_allowed=plain, realms=realms.get(domain, frozenset[str]()))

    def url(self, scheme: str) -> URL:
        return URL(f"{scheme}://{API_HOSTS.get(self.domain, self.domain)}")


def is_loopback(host: str) -> bool:
    """Whether the name itself says loopback, whatever a resolver would answer."""
    address = literal(host)
    return address.is_loopback if address is not None else host == "localhost"


def literal(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host name spells, if it does."""
    try:
        address = ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None

    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def is_public(address: IPv4Address | IPv6Address) -> bool:
    return address.is_global and not address.is_multicast


def check_hop(current: URL, target: URL, *, home: Home, home_is_public: bool) -> None:
    """Refuse a redirect or realm that breaks rules 3 or 4."""
    if target.scheme not in ("http", "https") or not target.host:
        raise Denied(f"{shown(current)} sends us to {shown(target)}, which is no web address")
    if target.user is not None or target.password is not None:
        raise Denied(f"{shown(current)} sends us to an address with credentials in it")
    if target.scheme == "http":
        allowed = same_origin(current, target) or is_loopback(target.host)
        if current.scheme == "https" or not home.plain_allowed or not allowed:
            raise Denied(f"{shown(current)} sends us to {shown(target)}, without TLS")

    address = literal(target.host)
    private = target.host == "localhost" or (address is not None and not is_public(address))
    if home_is_public and private:
        raise Denied(f"{shown(current)} sends us to the private address {target.host}")


def same_origin(one: URL, other: URL) -> bool:
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


def may_have_credentials(realm: URL, *, registry: URL, home: Home) -> bool:
    """Rule 2; `realm` has passed `check_hop`."""
    if realm.scheme == "http" and not (home.plain_allowed and registry.scheme == "http"):
        return False

    return same_origin(realm, registry) or _key(realm) in home.realms


def is_own(url: URL, *, home: Home) -> bool:
    """Whether it is the registry itself or a token server of its own: who may see our certificate.

    An address without TLS sees none.
    """
    return same_origin(url, home.url("https")) or _key(url) in home.realms


def shown(url: URL) -> str:
    """A URL for messages: no query, which may be signed, and no user."""
    place = url.host or ""
    port = "" if url.explicit_port is None else f":{url.explicit_port}"
    return f"{url.scheme}://{place}{port}{url.path if url.path != '/' else ''}"[:200]


def _key(url: URL) -> str:
    return url.host or "" if url.is_default_port() else f"{url.host}:{url.port}"


def _host(domain: str) -> str:
    return URL(f"https://{domain}").host or ""
