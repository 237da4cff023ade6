from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from stacker.base.errors import Corrupt, Invalid
from stacker.drivers.images.registry import credentials
from stacker.drivers.images.registry.credentials import Credentials


def coded(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def file_with(folder: Path, auths: object, *, name: str = "config.json") -> Path:
    file = folder / name
    file.write_text(json.dumps({"auths": auths, "credsStore": "ignored"}))
    return file


def user_of(files: list[Path], domain: str, path: str = "a/b") -> str | None:
    found = credentials.find(files, domain=domain, path=path)
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
    one = Credentials(user="me", password="a:b\N{SNOWMAN}")
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
    """docker login with a credential store leaves an empty entry."""
    assert user_of([file_with(tmp_path, {"h.io": {}})], "h.io") is None


def test_default_files() -> None:
    found = credentials.default_files(
        {"HOME": "/h", "DOCKER_CONFIG": "/d", "REGISTRY_AUTH_FILE": "/r"}
    )
    assert found[0] == Path("/r")
    assert Path("/d/config.json") in found
    assert Path("/h/.config/containers/auth.json") in found
