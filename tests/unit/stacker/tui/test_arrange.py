"""Lines of the table: groups, orders, filters, and columns that fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacker.tui import view
from stacker.tui.arrange import COLUMNS, arrange, fit, gap
from stacker.tui.rates import Rates
from stacker.wire.replies import ContainerRow, PortRow, StatsRow

MIB = 1 << 20


def container(stack: str, service: str, index: int = 1, **more: object) -> ContainerRow:
    fields: dict[str, object] = {
        "id": f"{stack}-{service}-{index}",
        "name": f"{stack}-{service}-{index}",
        "stack": stack,
        "service": service,
        "index": index,
        "image": "busybox",
        "status": "running",
        "started_at": 0.0,
    }
    return ContainerRow(**{**fields, **more})  # pyright: ignore[reportArgumentType]


def rows(*containers: ContainerRow) -> tuple[view.Row, ...]:
    samples = {
        c.id: StatsRow(
            container_id=c.id,
            container=c.name,
            stack=c.stack,
            service=c.service,
            at=1.0,
            memory_bytes=c.index * MIB,
            memory_limit_bytes=4 * MIB,
        )
        for c in containers
    }
    rates = {c.id: Rates(cpu_percent=float(c.index)) for c in containers}
    return view.rows(containers, samples, rates, now=60.0)


THREE = rows(
    container("shop", "web", 1),
    container("shop", "web", 3),
    container("blog", "db", 2, health="unhealthy", restarts=7),
)


def names(lines: object) -> list[str]:
    return [line.cells["name"].text for line in lines]  # type: ignore[attr-defined]


def test_stacks_have_heads_with_sums() -> None:
    lines = arrange(THREE)
    assert names(lines) == ["blog", "  db", "shop", "  web-1", "  web-3"]
    head = lines[2]
    assert head.is_head
    assert head.target == view.Target(stack="shop")
    assert [head.cells[key].text for key in ("status", "cpu", "memory")] == [
        "2/2 up",
        "4.0%",
        "4MiB",
    ]
    assert lines[0].cells["status"].text == "1/1 up, 1 faulty"


@pytest.mark.parametrize(
    ("order", "first"), [("cpu", "shop/web-3"), ("memory", "shop/web-3"), ("restarts", "blog/db")]
)
def test_other_orders_are_flat(order: str, first: str) -> None:
    assert names(arrange(THREE, order=order))[0] == first


def test_a_filter_leaves_the_sums_of_a_stack_alone() -> None:
    lines = arrange(THREE, words="web-3")
    assert names(lines) == ["shop", "  web-3"]
    assert lines[0].cells["status"].text == "2/2 up"


def test_faults_only() -> None:
    assert names(arrange(THREE, faults_only=True)) == ["blog", "  db"]


def test_memory_near_its_limit_is_told() -> None:
    cells = [line.cells["limit"] for line in arrange(THREE) if not line.is_head]
    assert [cell.text.strip() for cell in cells] == ["50% 4MiB", "25% 4MiB", "75% 4MiB"]
    assert [cell.tone for cell in cells] == ["", "", "warn"]


@given(
    width=st.integers(60, 400),
    service=st.text("abc-長", min_size=1, max_size=60),
    ports=st.integers(0, 5),
    problem=st.text("xy ", max_size=120),
)
def test_columns_fit_whatever_they_say(width: int, service: str, ports: int, problem: str) -> None:
    published = tuple(
        PortRow(target=80, published=8080 + n, protocol="tcp", host_ip="127.0.0.1")
        for n in range(ports)
    )
    lines = arrange(rows(container("shop", service, ports=published, problem=problem)))
    columns = fit(lines, width)
    used = 1 + sum(cells for _, cells in columns) + gap(width) * (len(columns) - 1)
    assert used <= width
    assert all(cells >= column.least or column.short for column, cells in columns)
    assert {"symbol", "name", "status", "cpu"} <= {column.key for column, _ in columns}


def test_a_wide_terminal_shows_all_that_there_is() -> None:
    lines = arrange(THREE)
    shown = [column.key for column, _ in fit(lines, 200)]
    assert shown == [column.key for column in COLUMNS if column.key != "ports"]
