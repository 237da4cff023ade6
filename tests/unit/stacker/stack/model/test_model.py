"""The canonical stack: frozen, strict about what it knows, the same after being stored."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from stacker.stack.model import Mount, Port, Service, Stack, VolumeOptions
from stacker.stack.model.values import shared_service


def test_nothing_can_be_changed() -> None:
    service = Service(image="a")
    with pytest.raises(ValidationError, match="frozen"):
        service.image = "b"  # pyright: ignore[reportAttributeAccessIssue]


def test_an_unknown_field_is_noticed() -> None:
    stored = Stack(name="s", services={"a": Service(image="a")}).model_dump(mode="json")
    stored["services"]["a"]["from_a_later_version"] = True
    with pytest.raises(ValidationError, match="from_a_later_version"):
        Stack.model_validate(stored)


def test_what_was_stored_comes_back() -> None:
    mount = Mount(type="volume", source="v", target="/v", volume=VolumeOptions(nocopy=True))
    service = Service(image="a", command=("a", "b"), ports=(Port(target=80),), volumes=(mount,))
    stack = Stack(name="s", services={"a": service})
    assert Stack.model_validate(json.loads(json.dumps(stack.model_dump(mode="json")))) == stack
    assert Stack.model_validate_json(stack.model_dump_json()) == stack


def test_nothing_and_empty_are_different_commands() -> None:
    assert Service(image="a").command is None
    assert Service(image="a", command=()).command == ()


@pytest.mark.parametrize(
    ("port", "shown"),
    [
        (Port(target=80), "80/tcp"),
        (Port(target=80, published=8080), "8080->80/tcp"),
        (
            Port(target=53, published=9, protocol="udp", host_ip="127.0.0.1"),
            "127.0.0.1:9->53/udp",
        ),
        (Port(target=80, published=81, host_ip="::1"), "[::1]:81->80/tcp"),
        (Port(target=80, host_ip="127.0.0.1"), "127.0.0.1->80/tcp"),
    ],
)
def test_a_port_shows_itself(port: Port, shown: str) -> None:
    assert str(port) == shown


@pytest.mark.parametrize(
    ("mode", "service"), [(None, None), ("host", None), ("service:db", "db"), ("servicedb", None)]
)
def test_shared_service(mode: str | None, service: str | None) -> None:
    assert shared_service(mode) == service
