"""Each screen as it is drawn, held against a picture; and what keys do.

After a change that is meant: ``pytest tests/integration/tui --snapshot-update``, and look at them.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import cast

import pytest
from textual.pilot import Pilot

from stacker.client.api import Supervisor
from stacker.tui.app import Dashboard
from stacker.tui.widgets.details_view import DetailsView
from stacker.tui.widgets.dialogs import Confirm
from tests.integration.tui.fixed import FixedSupervisor
from tests.integration.tui.seeing import pane, status, table, until

Snapshot = Callable[..., bool]


def dashboard(supervisor: FixedSupervisor | None = None) -> Dashboard:
    return Dashboard(cast("Supervisor", supervisor or FixedSupervisor()))


def pressing(
    *keys: str, then: Callable[[Dashboard], object] = lambda _: True
) -> Callable[[Pilot[None]], Awaitable[None]]:
    """Wait until all is there, press keys, wait until they have had their effect."""

    async def run(pilot: Pilot[None]) -> None:
        app = cast("Dashboard", pilot.app)
        await until(pilot, lambda: "24.0%" in table(app))  # a rate needs two samples
        await until(pilot, lambda: "GET a" in pane(app, "logs"))
        await pilot.press(*keys)
        await until(pilot, lambda: then(app))
        await pilot.pause()

    return run


def logged(app: Dashboard) -> bool:
    """Are the logs those of another container than at first?"""
    return "a request: 404" in pane(app, "logs")


def described(app: Dashboard) -> bool:
    return len(app.query_one(DetailsView).facts) > 1


def test_the_fixed_supervisor_has_the_signatures_of_the_client() -> None:
    for name, method in inspect.getmembers(FixedSupervisor, inspect.isfunction):
        if not name.startswith("_"):
            assert _shape(method) <= _shape(getattr(Supervisor, name)), name


def _shape(method: Callable[..., object]) -> set[tuple[object, ...]]:
    parameters = inspect.signature(method).parameters.values()
    return {(parameter.name, parameter.kind, parameter.default) for parameter in parameters}


@pytest.mark.parametrize(
    "size", [(80, 24), (120, 36), (200, 50)], ids=lambda size: f"{size[0]}x{size[1]}"
)
def test_containers_by_stack(snap_compare: Snapshot, size: tuple[int, int]) -> None:
    assert snap_compare(dashboard(), terminal_size=size, run_before=pressing())


def test_by_processor_time(snap_compare: Snapshot) -> None:
    assert snap_compare(dashboard(), terminal_size=(120, 30), run_before=pressing("o"))


def test_faults_only(snap_compare: Snapshot) -> None:
    assert snap_compare(dashboard(), terminal_size=(120, 30), run_before=pressing("z", then=logged))


def test_rows_that_hold_words(snap_compare: Snapshot) -> None:
    assert snap_compare(
        dashboard(), terminal_size=(100, 24), run_before=pressing("/", *"web", then=logged)
    )


def test_log_lines_that_hold_words(snap_compare: Snapshot) -> None:
    assert snap_compare(
        dashboard(), terminal_size=(100, 24), run_before=pressing("enter", "/", *"markup", "enter")
    )


def test_logs_of_a_stack_with_their_times(snap_compare: Snapshot) -> None:
    keys = pressing(*"Gkkkkt", then=lambda app: "web-2     │ a request: 404" in pane(app, "logs"))
    assert snap_compare(dashboard(), terminal_size=(100, 30), run_before=keys)


def test_details_of_a_container(snap_compare: Snapshot) -> None:
    keys = pressing("G", "k", "d", "m", then=described)
    assert snap_compare(dashboard(), terminal_size=(100, 40), run_before=keys)


def test_details_of_a_stack(snap_compare: Snapshot) -> None:
    assert snap_compare(
        dashboard(), terminal_size=(100, 30), run_before=pressing("g", "d", then=described)
    )


def test_events(snap_compare: Snapshot) -> None:
    assert snap_compare(dashboard(), terminal_size=(100, 30), run_before=pressing("e"))


def test_help(snap_compare: Snapshot) -> None:
    assert snap_compare(dashboard(), terminal_size=(80, 24), run_before=pressing("question_mark"))


def test_question_before_something_stops(snap_compare: Snapshot) -> None:
    assert snap_compare(
        dashboard(), terminal_size=(80, 24), run_before=pressing("G", "s", then=logged)
    )


def test_nothing_there(snap_compare: Snapshot) -> None:
    async def run(pilot: Pilot[None]) -> None:
        app = cast("Dashboard", pilot.app)
        await until(pilot, lambda: "stacker up" in table(app))

    assert snap_compare(dashboard(FixedSupervisor(())), terminal_size=(80, 24), run_before=run)


def test_supervisor_away(snap_compare: Snapshot) -> None:
    supervisor = FixedSupervisor()

    async def run(pilot: Pilot[None]) -> None:
        await pressing()(pilot)
        supervisor.is_away = True
        await until(pilot, lambda: "trying again" in status(cast("Dashboard", pilot.app)))
        await pilot.pause()

    assert snap_compare(dashboard(supervisor), terminal_size=(100, 24), run_before=run)


async def test_only_yes_stops_and_what_is_named_is_what_stops() -> None:
    supervisor = FixedSupervisor()
    app = dashboard(supervisor)
    async with app.run_test(size=(100, 30)) as pilot:
        await pressing("G", "s", "n", "S")(pilot)  # both web-1 and web-2 run: nothing to start
        assert supervisor.asked == []
        # as fast as keys can come: the question is about where the cursor is by then
        await pilot.press("k", "k", "k", "s")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: supervisor.asked)
        await pilot.press("g", "r")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: len(supervisor.asked) == 2)
    assert supervisor.asked == [("stop", "shop", ("mailer",)), ("restart", "blog", ())]


async def test_escape_ends_what_was_begun_last() -> None:
    app = dashboard()
    async with app.run_test(size=(100, 30)) as pilot:
        await pressing("/", *"web", "enter")(pilot)
        await until(pilot, lambda: "cache" not in table(app))
        await pilot.press("escape")
        await until(pilot, lambda: "cache" in table(app))
        await pilot.press("z", "escape")
        await until(pilot, lambda: "migrate" in table(app))
        await pilot.press("slash", *"nothing", "escape")
        await until(pilot, lambda: "migrate" in table(app))


async def test_the_log_stands_still_where_one_scrolled_to_until_it_is_followed_again() -> None:
    app = dashboard()
    async with app.run_test(size=(100, 24)) as pilot:
        await pressing("enter", "g")(pilot)
        assert "ready" in pane(app, "logs")
        await pilot.press("f")
        await until(pilot, lambda: "ready" not in pane(app, "logs"))


async def test_a_click_on_a_title_orders() -> None:
    app = dashboard()
    async with app.run_test(size=(120, 30)) as pilot:
        await pressing()(pilot)
        place = table(app).splitlines()[0].index("MEMORY") + 2
        await pilot.click("ServiceTable", offset=(place, 0))
        await until(pilot, lambda: "MEMORY▾" in table(app))
        assert "shop/mailer" in table(app).splitlines()[1]
