"""The lock file: what is written is read, and an image that it has not is refused at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from stacker.base.errors import Invalid, NotFound
from stacker.cli.lock import document
from stacker.stack.load.pipeline import load_stack

DIGEST = f"sha256:{'a' * 64}"
STACK = """
services:
  web: {image: "redis:7"}
  db: {image: "example.com/db"}
  fixed: {image: "redis@sha256:%s"}
""" % ("b" * 64)


def load(folder: Path, **options: bool):
    return load_stack(
        [folder / "shop.yaml"], working_dir=folder, environment={}, project_name="shop", **options
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.yaml").write_text(STACK)
    return tmp_path


def lock(folder: Path, images: dict[str, str]) -> None:
    (folder / "shop.lock.yaml").write_text(document(images))


def test_images_are_those_of_the_lock(folder: Path) -> None:
    lock(folder, {"docker.io/library/redis:7": DIGEST, "example.com/db:latest": DIGEST})
    loaded = load(folder, locked=True)
    assert {name: service.image for name, service in loaded.stack.services.items()} == {
        "web": f"docker.io/library/redis:7@{DIGEST}",
        "db": f"example.com/db:latest@{DIGEST}",
        "fixed": f"redis@sha256:{'b' * 64}",
    }
    assert folder / "shop.lock.yaml" in loaded.files_read  # `up --watch` looks at it too
    assert load(folder).stack.services["web"].image == "redis:7"


def test_what_is_not_in_it_is_refused_where_it_is_declared(folder: Path) -> None:
    lock(folder, {"docker.io/library/redis:7": DIGEST})
    with pytest.raises(Invalid) as refused:
        load(folder, locked=True)
    assert refused.value.where == "shop.yaml:4: services.db.image"
    assert "example.com/db is not in the lock file: run `stacker lock`" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("version: 2\nimages: {}\n", "shop.lock.yaml:1"),
        ("images: {}\n", "shop.lock.yaml:1"),
        ("version: 1\nimages:\n  a: sha256:no\n", "shop.lock.yaml:3: images.a"),
        ("version: 1\nimages:\n  A B: " + DIGEST + "\n", "shop.lock.yaml:3: images.A B"),
        ("version: 1\nimages:\n  a: []\n", "shop.lock.yaml:3: images.a"),
    ],
)
def test_a_lock_that_is_none(folder: Path, text: str, where: str) -> None:
    (folder / "shop.lock.yaml").write_text(text)
    with pytest.raises(Invalid) as refused:
        load(folder, locked=True)
    assert refused.value.where == where


def test_no_lock(folder: Path) -> None:
    with pytest.raises(NotFound, match=r"lock file .*shop\.lock\.yaml"):
        load(folder, locked=True)
