"""The dashboard's app: bindings, and handlers of a few lines.

Started by ``stacker ui``. Worker threads run the loops of ``feed.py``; every change of a widget is
made here, in a handler of a message.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import (
    DataTable,
    Footer,
    Input,
    RichLog,
    Static,
    TabbedContent,
    TabPane,
)

from stacker.base.errors import StackerError
from stacker.base.text import clean
from stacker.client.api import Supervisor
from stacker.tui import view
from stacker.tui.feed import Feed
from stacker.tui.messages import (
    Asked,
    Connection,
    Described,
    Happened,
    Logged,
    Sampled,
    Seen,
)
from stacker.tui.widgets.dialogs import Confirm, Help
from stacker.tui.widgets.service_table import ServiceTable
from stacker.wire.replies import ContainerRow, Containers, StatsRow
from stacker.wire.requests import ServicesRequest

LOG_LINES = 5_000


class Dashboard(App[None]):
    CSS_PATH = "tui.tcss"
    TITLE = "stacker"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "quit"),
        Binding("l", "show('logs')", "logs"),
        Binding("d", "show('details')", "details"),
        Binding("e", "show('events')", "events"),
        Binding("slash", "filter", "filter"),
        Binding("x", "shell", "shell"),
        Binding("s", "ask('stop')", "stop"),
        Binding("S", "ask('start')", "start"),
        Binding("r", "ask('restart')", "restart"),
        Binding("f", "follow", "follow", show=False),
        Binding("z", "faults", "faults"),
        Binding("o", "order", "order", show=False),
        Binding("m", "enlarge", "enlarge", show=False),
        Binding("j", "cursor(1)", show=False),
        Binding("k", "cursor(-1)", show=False),
        Binding("escape", "unfilter", show=False),
        Binding("question_mark,f1", "help", "help"),
    ]

    def __init__(self, supervisor: Supervisor, *, stack: str | None = None) -> None:
        super().__init__()
        self._supervisor = supervisor
        self._stack = stack
        self._feed = Feed(supervisor, stack, self.post_message)
        self._containers = Containers(now=0.0)
        self._samples: dict[str, StatsRow] = {}
        self._rates: dict[str, view.Rates] = {}
        self._rows: tuple[view.Row, ...] = ()
        self._filter = ""
        self._faults_only = False
        self._lost: str | None = None
        self._shown: str | None = None
        """Id of the container whose logs and details are shown."""

    def compose(self) -> ComposeResult:
        yield Static(id="status")
        yield ServiceTable()
        yield Input(placeholder="words to look for", id="filter")
        with TabbedContent(id="below", initial="logs"):
            with TabPane("Logs", id="logs"):
                yield RichLog(id="log", max_lines=LOG_LINES, wrap=True, markup=False)
            with TabPane("Details", id="details"), VerticalScroll(id="details-scroll"):
                yield Static(id="description")
            with TabPane("Events", id="events"):
                yield RichLog(id="event-log", max_lines=LOG_LINES, wrap=True, markup=False)
        yield Footer()

    def on_mount(self) -> None:
        self.query_one(ServiceTable).focus()
        for loop in (
            self._feed.follow_events,
            self._feed.watch_containers,
            self._feed.sample,
        ):
            self.run_worker(loop, thread=True, group="feed", exit_on_error=False)
        self._draw_status()

    def on_unmount(self) -> None:
        self._feed.end()

    # ---- what the threads tell

    @on(Seen)
    def _see(self, message: Seen) -> None:
        self._containers = message.containers
        self._draw_rows()

    @on(Sampled)
    def _sample(self, message: Sampled) -> None:
        for sample in message.stats.rows:
            key = sample.container_id
            self._rates[key] = view.rates(self._samples.get(key), sample, self._rates.get(key))
            self._samples[key] = sample
        self._draw_rows()

    @on(Happened)
    def _happen(self, message: Happened) -> None:
        event = message.event
        line = Text(f"{event.kind:<18} {clean(event.message)}")
        if event.kind.endswith(".failed") or event.kind == "warning":
            line.stylize("red")
        self.query_one("#event-log", RichLog).write(line)

    @on(Logged)
    def _log(self, message: Logged) -> None:
        container = self._container(self._shown)
        if container is not None and message.target == container.name:
            self.query_one("#log", RichLog).write(Text("\n".join(message.lines)))

    @on(Described)
    def _describe(self, message: Described) -> None:
        container = self._container(self._shown)
        if container is not None and message.target == container.name:
            self.query_one("#description", Static).update(Text(clean_lines(message.text)))

    @on(Connection)
    def _connect(self, message: Connection) -> None:
        self._lost = message.error
        self._draw_status()

    @on(Asked)
    def _asked(self, message: Asked) -> None:
        self._feed.look_again()
        if message.error is None:
            self.notify(message.text, markup=False)
        else:
            self.notify(clean(f"{message.text}: {message.error}"), severity="error", markup=False)

    # ---- what the user does

    @on(DataTable.RowHighlighted)
    def _choose(self) -> None:
        container = self._container(self.query_one(ServiceTable).selected_id())
        if container is None or container.id == self._shown:
            return
        self._shown = container.id
        log = self.query_one("#log", RichLog)
        log.clear()
        self._follow_logs(container)
        self._fetch_details(container)

    @on(DataTable.RowSelected)
    def _open(self) -> None:
        self.action_show("logs")

    @on(Input.Changed, "#filter")
    def _type(self, message: Input.Changed) -> None:
        self._filter = message.value
        self._draw_rows()

    @on(Input.Submitted, "#filter")
    def _end_typing(self) -> None:
        self.query_one(ServiceTable).focus()

    def action_show(self, pane: str) -> None:
        self.query_one(TabbedContent).active = pane
        container = self._container(self._shown)
        if pane == "details" and container is not None:
            self._fetch_details(container)

    def action_filter(self) -> None:
        field = self.query_one("#filter", Input)
        field.add_class("shown")
        field.focus()

    def action_unfilter(self) -> None:
        field = self.query_one("#filter", Input)
        field.value = ""
        field.remove_class("shown")
        self.query_one(ServiceTable).focus()

    def action_faults(self) -> None:
        self._faults_only = not self._faults_only
        self._draw_rows()

    def action_order(self) -> None:
        self.notify(f"ordered by {self.query_one(ServiceTable).next_sort()}", markup=False)
        self._draw_rows()

    def action_follow(self) -> None:
        log = self.query_one("#log", RichLog)
        log.auto_scroll = not log.auto_scroll
        self.notify("follows" if log.auto_scroll else "stands still", markup=False)

    def action_enlarge(self) -> None:
        self.query_one("#below").toggle_class("tall")

    def action_cursor(self, step: int) -> None:
        table = self.query_one(ServiceTable)
        table.move_cursor(row=max(0, table.cursor_row + step))

    def action_help(self) -> None:
        self.push_screen(Help())

    def action_ask(self, verb: str) -> None:
        container = self._container(self._shown)
        if container is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._carry_out(verb, container.stack, container.service)

        if verb == "start":
            answered(True)
        else:
            self.push_screen(Confirm(f"{verb} {container.stack}/{container.service}?"), answered)

    def action_shell(self) -> None:
        container = self._container(self._shown)
        if container is None or container.status != "running":
            self.notify("a shell needs a running container", severity="warning")
            return
        command = [
            *(sys.executable, "-m", "stacker", "exec", "-i", "-t"),
            *("-p", container.stack, "--index", str(container.index), container.service, "sh"),
        ]
        environment = {**os.environ, "STACKER_RUN": _run_directory(self._supervisor.path)}
        with self.suspend():
            subprocess.run(command, env=environment, check=False)
        self.refresh()

    # ---- workers

    @work(thread=True, exclusive=True, group="logs", exit_on_error=False)
    def _follow_logs(self, container: ContainerRow) -> None:
        self._feed.follow_logs(container.stack, container.service, container.name)

    @work(thread=True, exclusive=True, group="details", exit_on_error=False)
    def _fetch_details(self, container: ContainerRow) -> None:
        self._feed.describe(container.stack, container.name)

    @work(thread=True, group="asks", exit_on_error=False)
    def _carry_out(self, verb: str, stack: str, service: str) -> None:
        ask = {
            "stop": self._supervisor.stop,
            "start": self._supervisor.start,
            "restart": self._supervisor.restart,
        }[verb]
        error: str | None = None
        try:
            ask(stack, ServicesRequest(services=(service,))).result()
        except StackerError as failure:
            error = str(failure)
        self.post_message(Asked(f"stacker {verb} -p {stack} {service}", error))

    # ---- drawing

    def _draw_rows(self) -> None:
        self._rows = view.rows(
            self._containers.containers, self._samples, self._rates, now=self._containers.now
        )
        chosen = tuple(
            row
            for row in self._rows
            if view.matches(row, self._filter) and (row.faulty or not self._faults_only)
        )
        self.query_one(ServiceTable).show_rows(chosen)
        self._choose()
        self._draw_status()

    def _draw_status(self) -> None:
        status = self.query_one("#status", Static)
        status.set_class(self._lost is not None, "lost")
        if self._lost is not None:
            status.update(Text(clean(self._lost)))
            return
        words = [f"stacker {self._supervisor.version or ''}".strip(), view.summary(self._rows)]
        if self._faults_only:
            words.append("only what is wrong")
        if self._filter:
            words.append(f"filter: {clean(self._filter)}")
        status.update(Text("   ".join(words)))

    def _container(self, container_id: str | None) -> ContainerRow | None:
        found = (c for c in self._containers.containers if c.id == container_id)
        return next(found, None)


def clean_lines(text: str) -> str:
    return "\n".join(clean(line) for line in text.splitlines())


def _run_directory(socket: str) -> str:
    """RUN/api/stacker.sock → RUN"""
    return os.path.dirname(os.path.dirname(socket))


def run(supervisor: Supervisor, *, stack: str | None = None) -> None:
    """Show the dashboard until the user leaves it."""
    Dashboard(supervisor, stack=stack).run()
