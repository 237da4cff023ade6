"""Rows of the dashboard, from messages alone."""

from __future__ import annotations

import pytest

from stacker.tui import view
from stacker.wire.replies import ContainerRow, PortRow, StatsRow


def container(**more: object) -> ContainerRow:
    fields: dict[str, object] = {
        "id": "1",
        "name": "shop-web-1",
        "stack": "shop",
        "service": "web",
        "index": 1,
        "image": "docker.io/library/web:1",
        "status": "running",
        "started_at": 100.0,
    }
    return ContainerRow(**{**fields, **more})  # pyright: ignore[reportArgumentType]


def sample(at: float, **more: int) -> StatsRow:
    return StatsRow(
        container_id="1", container="shop-web-1", stack="shop", service="web", at=at, **more
    )


def only(row: ContainerRow, *, now: float = 160.0) -> view.Row:
    return view.rows([row], {}, {}, now=now)[0]


@pytest.mark.parametrize(
    ("row", "state", "status"),
    [
        (container(), "running", "up 1m0s"),
        (container(health="healthy"), "healthy", "up 1m0s"),
        (container(status="created"), "created", "created"),
        (container(status="exited", exit_code=0, exited_at=150.0), "completed", "exited 0 10s ago"),
        (container(status="exited", exit_code=1, exited_at=150.0), "failed", "exited 1 10s ago"),
        (container(status="exited", exit_code=None, exited_at=150.0), "failed", "exited ? 10s ago"),
        (
            container(status="exited", exit_code=137, oom=True, exited_at=150.0),
            "failed",
            "out of memory 10s ago",
        ),
        (
            container(status="exited", exit_code=143, exited_at=150.0, stopped_by_user=True),
            "stopped",
            "exited 143 10s ago",
        ),
        (
            container(status="exited", exit_code=1, exited_at=150.0, next_at=163.0, note="again"),
            "failed",
            "exited 1 10s ago; restarts in 3 s",
        ),
        (container(problem="veth is gone"), "running", "up 1m0s; veth is gone"),
    ],
)
def test_state_and_status(row: ContainerRow, state: str, status: str) -> None:
    assert (only(row).state, only(row).status) == (state, status)


def test_every_state_has_a_symbol_of_its_own_or_its_colour_is_not_alone() -> None:
    for state, (symbol, _) in view.SYMBOLS.items():
        assert symbol, state


def test_foreign_text_is_harmless() -> None:
    row = only(container(name="a\x1b[31mb", image="x\u202ey"))
    assert "\x1b" not in row.name
    assert "\u202e" not in row.image


def test_a_service_is_numbered_where_it_has_several_containers() -> None:
    rows = view.rows(
        [container(), container(id="2", index=2), container(id="3", service="db")],
        {},
        {},
        now=160.0,
    )
    assert [row.label for row in rows] == ["db", "web-1", "web-2"]


def test_ports() -> None:
    row = only(
        container(
            ports=(
                PortRow(target=80, published=8080, protocol="tcp", host_ip="0.0.0.0"),
                PortRow(target=53, published=53, protocol="udp", host_ip="127.0.0.1"),
            )
        )
    )
    assert row.ports == "8080→80 127.0.0.1:53→53/udp"


def test_filter_and_summary() -> None:
    rows = view.rows(
        [
            container(),
            container(id="2", name="shop-db-1", service="db", image="db:1", status="exited"),
        ],
        {},
        {},
        now=160.0,
    )
    assert [view.matches(row, "shop WEB") for row in rows] == [False, True]
    assert view.summary(rows) == "2 containers, 1 up, 1 failed"


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.9, "3s"), (63, "1m3s"), (3_700, "1h1m"), (100_000, "1d3h"), (-5, "0s")]
)
def test_duration(seconds: float, text: str) -> None:
    assert view.duration(seconds) == text
