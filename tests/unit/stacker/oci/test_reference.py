from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacker.base.errors import Invalid
from stacker.oci.reference import Reference, parse_registry

DIGEST = "sha256:" + "ab" * 32

SHORT = {
    "web": "docker.io/library/web:latest",
    "web:1.2": "docker.io/library/web:1.2",
    "user/web": "docker.io/user/web:latest",
    "docker.io/web": "docker.io/library/web:latest",
    "index.docker.io/web": "docker.io/library/web:latest",
    "docker.io/user/web:1": "docker.io/user/web:1",
    "ghcr.io/user/web": "ghcr.io/user/web:latest",
    "localhost/web": "localhost/web:latest",
    "localhost:5000/web": "localhost:5000/web:latest",
    "LOCAL/web": "LOCAL/web:latest",
    "registry:5000/web:1": "registry:5000/web:1",
    "127.0.0.1:5000/a/b/c:x": "127.0.0.1:5000/a/b/c:x",
    "[::1]:5000/web": "[::1]:5000/web:latest",
    f"web@{DIGEST}": f"docker.io/library/web@{DIGEST}",
    f"web:1@{DIGEST}": f"docker.io/library/web:1@{DIGEST}",
    "a__b/c-d--e.f": "docker.io/a__b/c-d--e.f:latest",
    "web:5000": "docker.io/library/web:5000",
}


@pytest.mark.parametrize("text", SHORT)
def test_completed(text: str) -> None:
    assert str(Reference.parse(text)) == SHORT[text]


@pytest.mark.parametrize(
    ("text", "familiar"),
    [
        ("web", "web:latest"),
        ("user/web:1", "user/web:1"),
        ("localhost/web", "localhost/web:latest"),
        ("docker.io/library/web", "web:latest"),
        (f"web@{DIGEST}", f"web@{DIGEST}"),
    ],
)
def test_familiar(text: str, familiar: str) -> None:
    assert Reference.parse(text).familiar == familiar


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Web",
        "user/Web",
        "web:",
        "web:-x",
        "web:" + "a" * 129,
        "web@",
        "web@sha256:1",
        "a//b",
        "/web",
        "web/",
        "../web",
        "a/../b",
        "-web",
        "web_",
        "a___b",
        "a b",
        "web\n",
        "web:1\n",
        "w\N{LATIN SMALL LETTER E WITH ACUTE}b",
        "host:port/web",
        "host:999999/web",
        "-host.io/web",
        "http://host/web",
        "a" * 64,
        "a" * 300,
        "a/" * 400,
        f"web@{DIGEST}@{DIGEST}",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(Invalid):
        Reference.parse(text)


COMPONENT = st.from_regex(r"[a-z0-9]{1,5}([._-][a-z0-9]{1,5}){0,2}", fullmatch=True)
DOMAIN = st.sampled_from(["docker.io", "ghcr.io", "localhost", "host:5000", "10.0.0.1:80"])
TAG = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)


@given(DOMAIN, st.lists(COMPONENT, min_size=1, max_size=3), TAG)
def test_full_form_is_its_own_full_form(domain: str, parts: list[str], tag: str) -> None:
    parsed = Reference.parse(f"{domain}/{'/'.join(parts)}:{tag}")
    assert parsed.tag == tag
    assert Reference.parse(str(parsed)) == parsed
    assert Reference.parse(parsed.familiar) == parsed


@given(st.text(max_size=80))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        parsed = Reference.parse(text)
    except Invalid:
        return
    assert Reference.parse(str(parsed)) == parsed
    assert ".." not in parsed.path
    assert "/" not in parsed.domain


def test_registries() -> None:
    for text in ("docker.io", "h.io:5000", "localhost", "localhost:1", "[::1]:5000", "HOST"):
        assert parse_registry(text) == text
    assert parse_registry("index.docker.io") == "docker.io"
    for text in ("", "myhost", "h.io/", "h.io/a", "https://h.io", "h.io:port", "-h.io", "a b.io"):
        with pytest.raises(Invalid, match="is not a registry"):
            parse_registry(text)
