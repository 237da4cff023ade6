"""C4: who may be talked to, and who may see credentials, decided from names alone."""

from __future__ import annotations

import pytest
from yarl import URL

from stacker.base.errors import Denied
from stacker.drivers.images.registry import trust
from stacker.drivers.images.registry.trust import Home

HUB = Home.of("docker.io")
OWN = Home.of("registry.example.com:5000")
LOCAL = Home.of("127.0.0.1:5000")
INSECURE = Home.of("registry.lan:5000", insecure=frozenset({"registry.lan:5000"}))


@pytest.mark.parametrize(
    ("domain", "allowed"),
    [
        ("127.0.0.1:5000", True),
        ("127.9.9.9", True),
        ("localhost:5000", True),
        ("localhost", True),
        ("[::1]:5000", True),
        ("[::ffff:127.0.0.1]:5000", True),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
        ("registry.example.com", False),
        ("192.168.1.1:5000", False),
        ("docker.io", False),
    ],
)
def test_plain_http(domain: str, allowed: bool) -> None:
    """I5: by what the name says, never by what it resolves to."""
    assert Home.of(domain).plain_allowed is allowed


def test_plain_http_where_listed() -> None:
    listed = frozenset({"registry.lan:5000"})
    assert Home.of("registry.lan:5000", insecure=listed).plain_allowed
    for other in ("registry.lan", "registry.lan:5001", "a.registry.lan:5000"):
        assert not Home.of(other, insecure=listed).plain_allowed


HOPS: dict[str, tuple[Home, str, str, bool]] = {
    # to, whether the registry is on the public network, and what it has to do with it
    "a store of blobs": (HUB, "https://blobs.example.net/x", "public", True),
    "down to http": (HUB, "http://blobs.example.net/x", "public", False),
    "down to http on the same host": (HUB, "http://registry-1.docker.io/x", "public", False),
    "the cloud's metadata": (HUB, "https://169.254.169.254/latest", "public", False),
    "metadata in clear": (HUB, "http://169.254.169.254/latest", "public", False),
    "metadata as a number": (OWN, "https://[::ffff:169.254.169.254]/", "public", False),
    "loopback": (HUB, "https://127.0.0.1/", "public", False),
    "loopback by name": (HUB, "https://localhost/", "public", False),
    "loopback 6": (HUB, "https://[::1]/", "public", False),
    "a private network": (HUB, "https://10.0.0.1/", "public", False),
    "unique local": (HUB, "https://[fd00::1]/", "public", False),
    "any address": (HUB, "https://0.0.0.0/", "public", False),
    "multicast": (HUB, "https://224.0.0.1/", "public", False),
    "carrier NAT": (HUB, "https://100.64.0.1/", "public", False),
    "private from private": (OWN, "https://10.0.0.1/", "private", True),
    "clear from private": (OWN, "http://10.0.0.1/", "private", False),
    "user in it": (HUB, "https://a:b@blobs.example.net/", "public", False),
    "only a user": (HUB, "https://a@blobs.example.net/", "public", False),
    "ftp": (HUB, "ftp://blobs.example.net/", "public", False),
    "a file": (HUB, "file:///etc/passwd", "public", False),
    "a script": (HUB, "javascript:alert(1)", "public", False),
    "no host": (HUB, "https:///x", "public", False),
}


@pytest.mark.parametrize("kind", HOPS)
def test_hops(kind: str) -> None:
    home, target, network, allowed = HOPS[kind]
    current = home.url("https").with_path("/v2/x")
    try:
        target_url = URL(target)
    except ValueError:
        assert not allowed
        return

    def check() -> None:
        trust.check_hop(current, target_url, home=home, home_is_public=network == "public")

    if allowed:
        check()
    else:
        with pytest.raises(Denied):
            check()


def test_plain_hops_between_local_registries() -> None:
    current = URL("http://127.0.0.1:5000/v2/")
    for target, allowed in (
        ("http://127.0.0.1:6000/x", True),
        ("http://localhost:6000/x", True),
        ("https://127.0.0.1:6000/x", True),
        ("http://10.0.0.1/x", False),
        ("http://example.com/x", False),
    ):
        if allowed:
            trust.check_hop(current, URL(target), home=LOCAL, home_is_public=False)
        else:
            with pytest.raises(Denied):
                trust.check_hop(current, URL(target), home=LOCAL, home_is_public=False)


@pytest.mark.parametrize(
    ("home", "realm", "allowed"),
    [
        (HUB, "https://auth.docker.io/token", True),
        (HUB, "https://registry-1.docker.io/token", True),
        (HUB, "https://auth.docker.io:444/token", False),
        (HUB, "http://auth.docker.io/token", False),
        (HUB, "https://auth.docker.io.evil.com/token", False),
        (HUB, "https://evil.docker.io/token", False),
        (HUB, "https://auth.docker.io@evil.com/token", False),
        (OWN, "https://registry.example.com:5000/token", True),
        (OWN, "https://registry.example.com/token", False),
        (OWN, "https://auth.example.com/token", False),
        (OWN, "https://auth.docker.io/token", False),
        (Home.of("registry.gitlab.com"), "https://gitlab.com/jwt/auth", True),
        (Home.of("gitlab.com"), "https://registry.gitlab.com/jwt/auth", False),
        (Home.of("a.azurecr.io"), "https://evil.azurecr.io/token", False),
        (Home.of("ghcr.io"), "https://ghcr.io/token", True),
        (Home.of("x.co.uk"), "https://evil.co.uk/token", False),
    ],
)
def test_credentials(home: Home, realm: str, allowed: bool) -> None:
    registry = home.url("https")
    assert trust.may_have_credentials(URL(realm), registry=registry, home=home) is allowed


def test_credentials_in_clear_where_the_user_allows_it() -> None:
    own = INSECURE.url("http")
    assert trust.may_have_credentials(own.with_path("/token"), registry=own, home=INSECURE)
    secure = INSECURE.url("https")
    assert not trust.may_have_credentials(own, registry=secure, home=INSECURE)


def test_urls_are_shown_without_secrets() -> None:
    url = URL("https://me:secret@host:5000/v2/x?X-Signature=secret#secret")
    assert trust.shown(url) == "https://host:5000/v2/x"
