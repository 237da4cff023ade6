"""The words of ``ps``."""

from __future__ import annotations

import pytest

from stacker.cli.ps import is_over, ports_text, status_text
from stacker.wire.replies import ContainerRow, PortRow

NOW = 1_000_000.0


def row(**changes: object) -> ContainerRow:
    values: dict[str, object] = {
        "id": "0" * 64,
        "name": "shop-web-1",
        "stack": "shop",
        "service": "web",
        "index": 1,
        "image": "web:1",
        "status": "running",
        "started_at": NOW - 200,
    }
    return ContainerRow(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "Up 3 minutes"),
        ({"health": "starting"}, "Up 3 minutes (starting)"),
        ({"problem": "veth is gone"}, "Up 3 minutes; veth is gone"),
        ({"status": "created"}, "Created"),
        ({"status": "exited", "exit_code": 3, "exited_at": NOW - 3700}, "Exited (3) 1 hour ago"),
        ({"status": "exited", "exited_at": NOW}, "Exited (?) less than a second ago"),
        (
            {"status": "exited", "exit_code": 137, "exited_at": NOW - 2, "oom": True},
            "Exited (137) 2 seconds ago, out of memory",
        ),
        (
            {
                "status": "exited",
                "exit_code": 1,
                "exited_at": NOW - 1,
                "next_at": NOW + 3,
                "note": "attempt 2 of 5",
            },
            "Exited (1) 1 second ago; restarts in 3.0 s; attempt 2 of 5",
        ),
    ],
)
def test_status(changes: dict[str, object], text: str) -> None:
    assert status_text(row(**changes), NOW) == text


@pytest.mark.parametrize(
    ("changes", "over"),
    [
        ({}, False),
        ({"status": "exited", "exit_code": 0}, True),
        ({"status": "exited", "exit_code": 143, "stopped_by_user": True}, True),
        ({"status": "exited", "exit_code": 1, "note": "all 2 attempts used up"}, False),
        ({"status": "exited", "exit_code": None}, False),
        ({"status": "exited", "exit_code": 0, "next_at": NOW}, False),
    ],
)
def test_what_only_dash_a_lists(changes: dict[str, object], over: bool) -> None:
    assert is_over(row(**changes)) is over


def test_ports() -> None:
    ports = (
        PortRow(target=80, published=8080, protocol="tcp", host_ip="127.0.0.1"),
        PortRow(target=53, published=53, protocol="udp", host_ip="0.0.0.0"),
    )
    assert ports_text(ports) == "127.0.0.1:8080->80/tcp, 0.0.0.0:53->53/udp"
