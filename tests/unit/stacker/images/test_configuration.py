from __future__ import annotations

from pathlib import Path

import pytest
from yarl import URL

from stacker.base.errors import Invalid, NotFound
from stacker.drivers.images.registry import proxies
from stacker.drivers.images.registry.configuration import (
    Configuration,
    ConfigurationFile,
    Host,
    parse,
)
from stacker.oci.reference import Reference

EXAMPLE = b"""
[registry."docker.io"]
mirrors = ["mirror.lan:5000/hub", "cache.example.com"]

[registry."docker.io/team"]
location = "registry.lan/copied/team"

[registry."registry.lan"]
plain_http = true
ca = "/etc/ca.crt"
certificate = "/etc/us.crt"
key = "/etc/us.key"
proxy = "proxy.lan:3128"
token_servers = ["auth.lan"]
requests = 3

[registry."careful.io"]
mirrors = ["mirror.lan:5000/careful"]
mirror_tags = false
"""


def places(configuration: Configuration, text: str) -> list[str]:
    return [str(place) for place in configuration.sources(Reference.parse(text))]


def test_where_things_are_found() -> None:
    found = parse(EXAMPLE, "f")
    assert places(found, "web:1") == [
        "mirror.lan:5000/hub/library/web:1",
        "cache.example.com/library/web:1",
        "docker.io/library/web:1",
    ]
    assert places(found, "team/web:1") == ["registry.lan/copied/team/web:1"]
    assert places(found, "teams/web:1")[-1] == "docker.io/teams/web:1"
    assert places(found, "other.io/web:1") == ["other.io/web:1"]
    digest = "sha256:" + "0" * 64
    assert places(found, "careful.io/a:1") == ["careful.io/a:1"]
    assert len(places(found, f"careful.io/a@{digest}")) == 2
    host = found.host("registry.lan")
    assert host == Host(
        plain_http=True,
        ca=Path("/etc/ca.crt"),
        certificate=Path("/etc/us.crt"),
        key=Path("/etc/us.key"),
        proxy=URL("http://proxy.lan:3128"),
        token_servers=frozenset({"auth.lan"}),
        requests=3,
    )
    assert found.host("registry.lan:5000") == Host()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = ", "f: it is not TOML"),
        ("\xff", "f: it is not TOML"),
        ("x = 1", "f: 'x' is not known"),
        ("registry = 3", "f: registry is not a table"),
        ('[registry]\n"h.io" = 3', "f: registry: h.io is not a table"),
        ('[registry."h.io"]\nmirror = []', 'f: registry."h.io": mirror is not known; keys are ca,'),
        ('[registry."h.io/a"]\nca = "/x"', "ca belongs to a registry as a whole"),
        ('[registry."https://h.io"]', "'https://h.io' is not HOST"),
        ('[registry."h.io/UP"]', "'h.io/UP' is not HOST"),
        ('[registry."web"]', "'web' is not HOST"),
        ('[registry."h.io"]\nmirrors = ["h.io/"]', "'h.io/' is not HOST"),
        ('[registry."h.io"]\nmirrors = "m.io"', "mirrors is not a list"),
        ('[registry."h.io"]\nmirrors = [3]', "mirrors is not a list of texts"),
        ('[registry."h.io"]\nlocation = ""', "location is not a text"),
        ('[registry."h.io"]\nplain_http = "yes"', "plain_http is neither true nor false"),
        ('[registry."h.io"]\nca = "x"', "ca is not an absolute path"),
        ('[registry."h.io"]\nkey = "/x"', "certificate and key go together"),
        ('[registry."h.io"]\nrequests = 0', "requests is a number from 1 to 100"),
        ('[registry."h.io"]\nrequests = true', "requests is not a number"),
        ('[registry."h.io"]\nproxy = "socks5://p"', "proxy is http://HOST:PORT or 'direct'"),
    ],
)
def test_mistakes_are_named(text: str, says: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(text.encode("latin-1"), "f")
    assert says in str(caught.value)
    assert str(caught.value).startswith("f: ")


def test_the_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "registries.toml"
    file = ConfigurationFile(path)
    assert file.current() == Configuration()
    with pytest.raises(NotFound, match=str(path)):
        ConfigurationFile(path, must_exist=True).current()
    path.write_text('[registry."h.io"]\nplain_http = true')
    assert file.current().host("h.io").plain_http
    assert file.current() is file.current()
    path.write_text("nonsense")
    with pytest.raises(Invalid):
        file.current()
    path.unlink()
    assert file.current() == Configuration()


def proxy_of(url: str, host: Host | None = None) -> str | None:
    found = proxies.chooser(host or Host())(URL(url))
    return str(found) if found is not None else None


def test_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert proxy_of("https://h.io") is None
    monkeypatch.setenv("HTTPS_PROXY", "proxy.lan:3128")
    monkeypatch.setenv("NO_PROXY", "inside.lan,.near.io,h.io:5000")
    assert proxy_of("https://h.io") == "http://proxy.lan:3128"
    assert proxy_of("http://h.io") is None
    for near in ("inside.lan", "a.near.io", "h.io:5000", "127.0.0.1:5000", "localhost", "[::1]"):
        assert proxy_of(f"https://{near}") is None, near
    assert proxy_of("https://h.io", Host(proxy="direct")) is None
    fixed = Host(proxy=URL("http://other.lan:1"))
    assert proxy_of("https://127.0.0.1", fixed) == "http://other.lan:1"
    monkeypatch.setenv("HTTPS_PROXY", "socks5://p")
    with pytest.raises(Invalid, match="https_proxy in the environment"):
        proxy_of("https://h.io")
