"""The table of containers, by stack: updated in place, so that the cursor stays where it is."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import DataTable

from stacker.tui.view import Row

COLUMNS = (
    ("", "symbol"),
    ("NAME", "name"),
    ("STATUS", "status"),
    ("HEALTH", "health"),
    ("RESTARTS", "restarts"),
    ("CPU", "cpu"),
    ("MEMORY", "memory"),
    ("NET", "net"),
    ("PORTS", "ports"),
    ("IMAGE", "image"),
)

SORTS = ("name", "cpu", "memory", "restarts")


class ServiceTable(DataTable[Text]):
    """Rows keyed by container id, in the order that was chosen."""

    def __init__(self) -> None:
        super().__init__(id="services", cursor_type="row", zebra_stripes=True)
        self.sort_by = SORTS[0]
        self._order: tuple[str, ...] = ()
        self._cells: dict[str, tuple[str, ...]] = {}

    def on_mount(self) -> None:
        for label, key in COLUMNS:
            self.add_column(label, key=key)

    def next_sort(self) -> str:
        """Sort by the next column and return its name."""
        self.sort_by = SORTS[(SORTS.index(self.sort_by) + 1) % len(SORTS)]
        return self.sort_by

    def show_rows(self, rows: tuple[Row, ...]) -> None:
        """Show exactly these rows; only cells that changed are drawn."""
        ordered = self._sorted(rows)
        order = tuple(row.id for row in ordered)
        if order != self._order:
            self._rebuild(ordered)
            return
        for row in ordered:
            cells = _texts(row)
            for (_, key), old, new in zip(COLUMNS, self._cells[row.id], cells, strict=True):
                if old != new:
                    self.update_cell(row.id, key, _styled(key, new, row), update_width=True)
            self._cells[row.id] = cells

    def selected_id(self) -> str | None:
        if not self._order or self.cursor_row >= len(self._order):
            return None
        return self._order[self.cursor_row]

    def _rebuild(self, rows: list[Row]) -> None:
        selected = self.selected_id()
        self.clear()
        for row in rows:
            cells = _texts(row)
            self.add_row(
                *(_styled(key, text, row) for (_, key), text in zip(COLUMNS, cells, strict=True)),
                key=row.id,
            )
            self._cells[row.id] = cells
        self._order = tuple(row.id for row in rows)
        if selected in self._order:
            self.move_cursor(row=self._order.index(selected))

    def _sorted(self, rows: tuple[Row, ...]) -> list[Row]:
        match self.sort_by:
            case "cpu":
                return sorted(rows, key=lambda r: -r.cpu_percent)
            case "memory":
                return sorted(rows, key=lambda r: -r.memory_bytes)
            case "restarts":
                return sorted(rows, key=lambda r: -r.restarts)
            case _:
                return list(rows)


def _texts(row: Row) -> tuple[str, ...]:
    health = row.state if row.state in ("healthy", "starting", "unhealthy") else "-"
    return (
        row.symbol,
        row.name,
        row.status,
        health,
        str(row.restarts),
        row.cpu,
        row.memory,
        row.net,
        row.ports,
        row.image,
    )


def _styled(key: str, text: str, row: Row) -> Text:
    if key == "symbol" or (key == "health" and text != "-") or (key == "status" and row.faulty):
        return Text(text, style=row.colour)
    return Text(text)
