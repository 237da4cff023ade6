from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from stacker.base.errors import Corrupt, Invalid
from stacker.drivers.images.registry import credentials
from stacker.drivers.images.registry.credentials import (
    Helper,
    IdentityToken,
    Password,
    RegistryToken,
)


def coded(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def file_with(folder: Path, auths: object, *, name: str = "config.json") -> Path:
    file = folder / name
    file.write_text(json.dumps({"auths": auths}))
    return file


def user_of(files: list[Path], domain: str, path: str = "a/b") -> str | None:
    found = credentials.find(files, domain=domain, path=path)
    assert found is None or isinstance(found, Password)
    return found.user if found else None


def test_docker_and_podman_keys(tmp_path: Path) -> None:
    auths = {
        "https://index.docker.io/v1/": coded("hub", "1"),
        "ghcr.io": coded("host", "2"),
        "ghcr.io/a": coded("namespace", "3"),
        "ghcr.io/a/b": coded("repository", "4"),
        "https://old.example.com": coded("old", "5"),
        "host:5000": coded("port", "6"),
    }
    files = [file_with(tmp_path, auths)]
    assert user_of(files, "docker.io") == "hub"
    assert user_of(files, "ghcr.io") == "repository"
    assert user_of(files, "ghcr.io", "a/c") == "namespace"
    assert user_of(files, "ghcr.io", "ab/c") == "host"
    assert user_of(files, "old.example.com") == "old"
    assert user_of(files, "host:5000") == "port"
    for stranger in ("host", "host:5001", "evil.ghcr.io", "ghcr.io.evil", "example.com"):
        assert user_of(files, stranger) is None


def test_first_file_wins_and_missing_ones_do_not_matter(tmp_path: Path) -> None:
    one = file_with(tmp_path, {"h.io": coded("one", "x")}, name="one")
    two = file_with(tmp_path, {"h.io": coded("two", "x"), "i.io": coded("i", "x")}, name="two")
    files = [tmp_path / "gone", tmp_path / "one" / "no-folder", one, two]
    assert user_of(files, "h.io") == "one"
    assert user_of(files, "i.io") == "i"


def test_header_and_repr() -> None:
    one = Password(user="me", password="a:b\N{SNOWMAN}")
    assert base64.b64decode(one.basic.removeprefix("Basic ")).decode() == "me:a:b\N{SNOWMAN}"
    assert "a:b" not in repr(one)


@pytest.mark.parametrize("text", ["!", "bm9jb2xvbg==", "OnBhc3M=", "/w=="])
def test_broken_entries_name_the_file_and_no_secret(tmp_path: Path, text: str) -> None:
    file = file_with(tmp_path, {"h.io": {"auth": text}})
    with pytest.raises(Invalid, match=f"credentials {file}: auth of h.io is not") as caught:
        user_of([file], "h.io")
    assert text not in caught.value.message


@pytest.mark.parametrize("content", ["{", "[]", '{"auths": []}', '{"auths": {"h.io": 3}}'])
def test_broken_files(tmp_path: Path, content: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(content)
    with pytest.raises(Corrupt, match=r"config\.json"):
        user_of([file], "h.io")


def test_a_fifo_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert user_of([tmp_path / "fifo"], "h.io") is None


def test_empty_entries_count_as_none(tmp_path: Path) -> None:
    assert user_of([file_with(tmp_path, {"h.io": {}})], "h.io") is None


def test_tokens(tmp_path: Path) -> None:
    auths = {"i.io": {"auth": "bWU6", "identitytoken": "one"}, "r.io": {"registrytoken": "two"}}
    files = [file_with(tmp_path, auths)]
    identity = credentials.find(files, domain="i.io", path="a")
    assert identity == IdentityToken(token="one")
    registry = credentials.find(files, domain="r.io", path="a")
    assert registry == RegistryToken(token="two")
    assert "one" not in repr(identity)
    assert "two" not in repr(registry)


def test_helpers(tmp_path: Path) -> None:
    """The most exact wins: the helper of a registry, what the file holds, the store of all."""
    file = tmp_path / "config.json"
    document = {
        "auths": {"h.io": coded("file", "x"), "s.io": {}, "e.io": coded("file", "x")},
        "credHelpers": {"e.io": "exact"},
        "credsStore": "store",
    }
    file.write_text(json.dumps(document))

    def found(domain: str) -> object:
        return credentials.find([file], domain=domain, path="a")

    assert found("e.io") == Helper(name="exact", key="e.io")
    assert found("h.io") == Password(user="file", password="x")
    assert found("s.io") == Helper(name="store", key="s.io")
    assert found("docker.io") == Helper(name="store", key="https://index.docker.io/v1/")


def test_default_files() -> None:
    found = credentials.default_files(
        {
            "HOME": "/h",
            "DOCKER_CONFIG": "/d",
            "REGISTRY_AUTH_FILE": "/r",
            "CREDENTIALS_DIRECTORY": "/c",
            "XDG_RUNTIME_DIR": "/x",
        }
    )
    assert found[:3] == (
        Path("/r"),
        Path("/c/registry-auth"),
        Path("/x/containers/auth.json"),
    )
    assert Path("/d/config.json") in found
    assert Path("/h/.config/containers/auth.json") in found
