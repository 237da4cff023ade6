"""What a user would see of a dashboard, and waiting until it is there."""

from __future__ import annotations

import time
from collections.abc import Callable

from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Static

from stacker.tui.app import Dashboard
from stacker.tui.widgets.log_view import LogView
from stacker.tui.widgets.service_table import ServiceTable


def table(app: Dashboard) -> str:
    return _text(app.query_one(ServiceTable))


def pane(app: Dashboard, name: str) -> str:
    return _text(app.query_one(f"#{name}", LogView))


def status(app: Dashboard) -> str:
    return str(app.query_one("#status", Static).content)


async def until(pilot: Pilot[None], condition: Callable[[], object], *, within: float = 20) -> None:
    """Let the app go on until something is true; fail with what is on the screen."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            app = pilot.app
            assert isinstance(app, Dashboard)
            seen = "\n".join((status(app), table(app), pane(app, "logs")))
            raise AssertionError(f"not seen within {within} s on:\n{seen}")
        await pilot.pause(0.02)


def _text(widget: Widget) -> str:
    return "\n".join(widget.render_line(y).text.rstrip() for y in range(widget.size.height))
