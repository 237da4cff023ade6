"""Rows → the lines of the table: filtered, ordered, grouped by stack, fitted to a width. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.cells import cell_len

from stacker.base.text import size
from stacker.tui import view
from stacker.tui.rates import spark, total
from stacker.tui.view import Row, Target

NEVER_LEFT_OUT = 100
NARROW = 100
"""Below it columns stand closer to each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    key: str
    title: str
    least: int
    """Cells it always has: numbers that change do not move what stands right of them."""
    fair: int
    """Cells it may take, when it has as much to say, before others are left out for it."""
    most: int
    """Cells it may take when there is room."""
    worth: int = NEVER_LEFT_OUT
    """The column of least worth is left out first where the terminal is narrow."""
    right: bool = False
    order: str = ""
    """The order that a click on the title chooses."""
    short: str = ""
    """The title where the terminal is narrow."""

    def heading(self, width: int) -> str:
        return self.short if self.short and width < NARROW else self.title


COLUMNS = (
    Column(key="symbol", title="", least=1, fair=1, most=1),
    Column(key="name", title="NAME", least=8, fair=24, most=48, order="stack"),
    Column(key="status", title="STATUS", least=10, fair=16, most=60),
    Column(key="health", title="HEALTH", least=9, fair=9, most=9, worth=4),
    Column(
        key="restarts",
        title="RESTARTS",
        short="↻",
        least=3,
        fair=8,
        most=8,
        worth=5,
        right=True,
        order="restarts",
    ),
    Column(key="cpu", title="CPU", least=6, fair=6, most=7, worth=9, right=True, order="cpu"),
    Column(key="trend", title="LAST 12 s", least=12, fair=12, most=12, worth=1),
    Column(
        key="memory", title="MEMORY", least=8, fair=8, most=8, worth=8, right=True, order="memory"
    ),
    Column(key="limit", title="OF LIMIT", least=9, fair=12, most=12, worth=6),
    Column(key="net", title="NET/s", least=17, fair=17, most=19, worth=3, order="net"),
    Column(key="ports", title="PORTS", least=6, fair=20, most=60, worth=7),
    Column(key="image", title="IMAGE", least=8, fair=20, most=80, worth=2),
)

ORDERS: Mapping[str, Callable[[Row], float]] = {
    "cpu": lambda row: -(row.rate.cpu_percent or 0.0),
    "memory": lambda row: -(row.memory_bytes or 0),
    "net": lambda row: -((row.rate.received_per_s or 0.0) + (row.rate.sent_per_s or 0.0)),
    "restarts": lambda row: -row.restarts,
}
"""Orders beside that by stack and name, and what each sorts by."""

ORDER_NAMES = ("stack", *ORDERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    text: str = ""
    tone: str = ""
    """``good``, ``warn``, ``bad``, ``calm``, ``faint``, or none."""


EMPTY = Cell()

MAY_BE_EMPTY = ("ports", "limit")
"""Columns that are not worth their place when no container has anything in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A container, or the head of a stack."""

    target: Target
    cells: dict[str, Cell]
    is_head: bool = False


def arrange(
    rows: Iterable[Row], *, order: str = "stack", words: str = "", faults_only: bool = False
) -> list[Line]:
    """Choose the rows and put them in order; the order by stack has a head above each stack."""
    everything = list(rows)
    chosen = [
        row for row in everything if view.matches(row, words) and (row.faulty or not faults_only)
    ]
    if order in ORDERS:
        ordered = sorted(chosen, key=ORDERS[order])  # stable: equal ones keep their places
        return [_line(row, f"{row.target.stack}/{row.label}") for row in ordered]
    lines: list[Line] = []
    for stack, group in groupby(chosen, key=lambda row: row.target.stack):
        lines.append(_head([row for row in everything if row.target.stack == stack]))
        lines += [_line(row, f"  {row.label}") for row in group]
    return lines


def gap(width: int) -> int:
    """Cells between columns."""
    return 1 if width < NARROW else 2


def fit(lines: Sequence[Line], width: int) -> list[tuple[Column, int]]:
    """Choose the columns that fit and say how wide each is.

    What is left over goes to the texts that were cut, in the order of the columns.
    """
    wanted = {column.key: _wanted(column, lines, width) for column in COLUMNS}
    columns = [c for c in COLUMNS if c.key not in MAY_BE_EMPTY or _says_something(c, lines)]

    def needed(column: Column) -> int:
        return max(column.least, min(column.fair, wanted[column.key]))

    def spare() -> int:
        return width - sum(needed(c) for c in columns) - gap(width) * (len(columns) - 1) - 1

    while spare() < 0 and any(c.worth < NEVER_LEFT_OUT for c in columns):
        columns.remove(min(columns, key=lambda column: column.worth))
    left = spare()
    widths: list[tuple[Column, int]] = []
    for column in columns:
        change = max(column.least - needed(column), min(left, wanted[column.key] - needed(column)))
        left -= change
        widths.append((column, needed(column) + change))
    return widths


def _wanted(column: Column, lines: Sequence[Line], width: int) -> int:
    texts = [line.cells[column.key].text for line in lines if column.key in line.cells]
    longest = max(map(cell_len, (*texts, column.heading(width))))
    return min(column.most, max(longest, column.least))


def _says_something(column: Column, lines: Sequence[Line]) -> bool:
    return any(column.key in line.cells for line in lines)


def _line(row: Row, name: str) -> Line:
    symbol, tone = view.SYMBOLS.get(row.state, ("?", ""))
    cells = {
        "symbol": Cell(text=symbol, tone=tone),
        "name": Cell(text=name),
        "status": Cell(text=row.status, tone="bad" if row.faulty else "" if row.is_up else "faint"),
        "health": Cell(text=row.state, tone=tone)
        if row.state in view.HEALTHS
        else Cell(text="-", tone="faint"),
        "restarts": Cell(text=str(row.restarts), tone="warn" if row.restarts else "faint"),
        "trend": Cell(text=spark(row.rate.trend), tone="calm"),
        "image": Cell(text=row.image, tone="faint"),
        **_usage(row.rate.cpu_percent, row.memory_bytes, view.net(row.rate)),
    }
    if row.ports:
        cells["ports"] = Cell(text=row.ports)
    if row.memory_bytes is not None and row.memory_limit_bytes:
        share = view.percent(row.memory_bytes, row.memory_limit_bytes)
        cells["limit"] = Cell(
            text=f"{share:3.0f}% {size(row.memory_limit_bytes)}",
            tone="bad" if share >= 90 else "warn" if share >= 75 else "",
        )
    return Line(target=row.target, cells=cells)


def _head(members: list[Row]) -> Line:
    up = sum(row.is_up for row in members)
    wrong = sum(row.faulty for row in members)
    text = f"{up}/{len(members)} up" + (f", {wrong} faulty" if wrong else "")
    sums = total([row.rate for row in members])
    used = [row.memory_bytes for row in members if row.memory_bytes is not None]
    stack = Target(stack=members[0].target.stack)
    return Line(
        target=stack,
        is_head=True,
        cells={
            "symbol": Cell(text="▾"),
            "name": Cell(text=str(stack)),
            "status": Cell(text=text, tone="bad" if wrong else ""),
            **_usage(sums.cpu_percent, sum(used) if used else None, view.net(sums)),
        },
    )


def _usage(cpu: float | None, memory: int | None, net: str) -> dict[str, Cell]:
    texts = {"cpu": "-" if cpu is None else f"{cpu:.1f}%", "memory": size(memory), "net": net}
    return {key: Cell(text=t, tone="faint" if t == "-" else "") for key, t in texts.items()}
