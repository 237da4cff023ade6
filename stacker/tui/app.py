"""The dashboard's app: keys, and handlers of a few lines.

Started by ``stacker ui`` in a process of its own. The threads of ``feed.py`` tell what there is;
``state.py`` keeps it; every change of a widget is made here, in a handler.
"""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import App, ComposeResult, SuspendNotSupported
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import ContentSwitcher, Footer, Input, Static

from stacker.base.text import clean
from stacker.client.api import Supervisor
from stacker.tui import happenings
from stacker.tui.feed import Feed
from stacker.tui.keys import BINDINGS
from stacker.tui.messages import (
    Asked,
    Connection,
    Described,
    Happened,
    Logged,
    Sampled,
    Seen,
)
from stacker.tui.shell import run_shell
from stacker.tui.state import State
from stacker.tui.view import Target
from stacker.tui.widgets.details_view import DetailsView
from stacker.tui.widgets.dialogs import Confirm, Help
from stacker.tui.widgets.finder import Finder
from stacker.tui.widgets.log_view import LogView
from stacker.tui.widgets.pane_bar import PaneBar, PaneTab
from stacker.tui.widgets.service_table import ServiceTable


class Dashboard(App[None]):
    CSS_PATH = "tui.tcss"
    TITLE = "stacker"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [*BINDINGS]

    def __init__(self, supervisor: Supervisor, *, stack: str | None = None) -> None:
        super().__init__()
        self.animation_level = "none"  # over ssh a scroll that glides only comes late
        self._supervisor = supervisor
        self._feed = Feed(supervisor, stack, self.post_message)
        self._state = State()
        self._target: Target | None = None
        """What the lower half is about."""
        self._usable_before = set[object]()
        # held, not looked up: what threads tell may come when the screen is being taken down
        self._status = Static(id="status")
        self._table = ServiceTable()
        self._bar = PaneBar()
        self._logs = LogView(id="logs", empty="nothing was written yet")
        self._details = DetailsView(id="details")
        self._events = LogView(id="events", empty="nothing has happened yet", stamps=True)
        self._pane: LogView | DetailsView = self._logs
        """The one that is shown."""
        self._finding: LogView | None = None
        """Whose words are being typed; None: the table's."""

    def compose(self) -> ComposeResult:
        yield self._status
        yield self._table
        with Vertical(id="below"):
            yield self._bar
            with ContentSwitcher(id="panes", initial="logs"):
                yield self._logs
                yield self._details
                yield self._events
        with Horizontal(id="finder"):
            yield Static(id="finder-label")
            yield Finder()
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        self._table.focus()
        self._draw()
        self._feed.start()

    def on_unmount(self) -> None:
        self._feed.end()

    # ---- what the threads tell

    @on(Seen)
    def _see(self, message: Seen) -> None:
        self._state.see(message.containers)
        self._draw()
        self._describe()

    @on(Sampled)
    def _sample(self, message: Sampled) -> None:
        self._state.sample(message.stats)
        self._draw()

    @on(Happened)
    def _happen(self, message: Happened) -> None:
        self._events.add(map(happenings.line, message.events))

    @on(Logged)
    def _log(self, message: Logged) -> None:
        lines = message.take()
        if message.target == self._target:
            self._logs.add(lines)

    @on(Described)
    def _show_details(self, message: Described) -> None:
        if message.target == self._target:
            facts = self._state.facts(message.target, message.found)
            self._details.show(facts)

    @on(Connection)
    def _connect(self, message: Connection) -> None:
        if message.error != self._state.lost:
            self._state.lost = message.error
            self._draw()

    @on(Asked)
    def _asked(self, message: Asked) -> None:
        if message.error is None:
            self.notify(f"{message.text}: done", markup=False, timeout=2)
        else:
            self.notify(clean(f"{message.text}: {message.error}"), severity="error", markup=False)

    # ---- what the user does

    @on(ServiceTable.Chosen)
    def _choose(self) -> None:
        target = self._table.chosen
        if target == self._target:
            return
        self._target = target
        self._logs.clear()
        self._details.show([])
        if target is None:
            self._feed.stop_logs()
        else:
            self._feed.follow_logs(target)
            self._describe()
        self._draw_bar()

    @on(ServiceTable.Opened)
    def _open(self) -> None:
        self._pane.focus()

    @on(ServiceTable.OrderWanted)
    def _order_by(self, message: ServiceTable.OrderWanted) -> None:
        self._state.order = message.order
        self._draw()

    @on(PaneTab.Wanted)
    def _open_tab(self, message: PaneTab.Wanted) -> None:
        self.action_pane(message.pane)

    @on(LogView.Moved)
    def _moved(self) -> None:
        self._draw_bar()

    @on(Input.Changed)
    def _look_for(self, message: Input.Changed) -> None:
        if self._finding is not None:
            self._finding.look_for(message.value)
            self._draw_bar()
        else:
            self._state.words = message.value
            self._draw()

    @on(Input.Submitted)
    def _found(self) -> None:
        self._close_finder()

    def action_pane(self, pane: str) -> None:
        had_focus = self._pane.has_focus
        self._pane = {"details": self._details, "events": self._events}.get(pane, self._logs)
        self.query_one("#panes", ContentSwitcher).current = pane
        if had_focus:
            self._pane.focus()
        self._describe()
        self._draw_bar()

    def action_find(self) -> None:
        pane = self._pane
        self._finding = pane if isinstance(pane, LogView) and pane.has_focus else None
        words = self._state.words if self._finding is None else self._finding.words
        what = "containers" if self._finding is None else (self._finding.id or "")
        self.query_one("#finder-label", Static).update(f" {what} with ")
        self.query_one("#finder").add_class("shown")
        field = self.query_one(Input)
        with self.prevent(Input.Changed):
            field.value = words
        field.focus()

    def action_leave(self) -> None:
        """End what was begun last: typing, a filter, looking at the pane."""
        pane = self._pane
        if self.query_one(Input).has_focus:
            self.query_one(Input).value = ""
            self._close_finder()
        elif isinstance(pane, LogView) and pane.has_focus and pane.words:
            pane.look_for("")
            self._draw_bar()
        elif not self._table.has_focus:
            self._table.focus()
        else:
            self._state.words, self._state.faults_only = "", False
            self._draw()

    def action_faults(self) -> None:
        self._state.faults_only = not self._state.faults_only
        self._draw()

    def action_order(self) -> None:
        self._state.next_order()
        self._draw()

    def action_follow(self) -> None:
        if isinstance(self._pane, LogView):
            self._pane.toggle_follow()

    def action_wrap(self) -> None:
        if isinstance(self._pane, LogView):
            self._pane.toggle_wrap()

    def action_stamps(self) -> None:
        if isinstance(self._pane, LogView):
            self._pane.toggle_stamps()

    def action_enlarge(self) -> None:
        self._table.toggle_class("low")

    def action_help(self) -> None:
        self.push_screen(Help())

    def action_ask(self, verb: str) -> None:
        target = self._table.chosen  # not `_target`: keys can be quicker than messages
        if target is None or verb not in self._usable(target):
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._feed.ask(verb, target)

        if verb == "start":
            answered(True)
        else:
            self.push_screen(Confirm(self._state.question(verb, target)), answered)

    def action_shell(self) -> None:
        target = self._table.chosen
        container = self._state.container(target)
        if target is None or container is None or container.status != "running":
            self.notify("a shell needs a running container", severity="warning")
            return
        try:
            with self.suspend():
                problem = run_shell(target, self._supervisor.path)
        except SuspendNotSupported:
            problem = "a shell needs a terminal"
        if problem is not None:
            self.notify(clean(problem), severity="error", markup=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Show the keys that make sense for what is chosen."""
        if action not in ("ask", "shell"):
            return True
        return (parameters or (action,))[0] in self._usable(self._target)

    # ---- drawing

    def _usable(self, target: Target | None) -> set[object]:
        """What can be done with it now."""
        if target is None:
            return set()
        ups = [row.is_up for row in self._state.members(target)]
        usable = {"stop", "restart"} if any(ups) else set[object]()
        usable |= set() if all(ups) else {"start"}
        return usable | ({"shell"} if target.service else set())

    def _describe(self) -> None:
        """Ask for the details, where they can be seen."""
        if self._target is not None and isinstance(self._pane, DetailsView):
            self._feed.describe(self._target)

    def _close_finder(self) -> None:
        self.query_one("#finder").remove_class("shown")
        (self._finding or self._table).focus()

    def _draw(self) -> None:
        state = self._state
        if not self._table.is_attached:
            return
        self._table.show(state.lines(), order=state.order, message=state.nothing())
        status = self._status
        status.set_class(state.lost is not None, "lost")
        if state.lost is None:
            version = f"stacker {self._supervisor.version or ''}".strip()
            text = f"{version} │ {state.headline()}"
        else:
            text = f"{state.lost}; trying again"
        status.update(Text(clean(text), no_wrap=True, overflow="ellipsis"), layout=False)
        usable = self._usable(self._target)
        if usable != self._usable_before:  # the footer is made anew, which takes its time
            self._usable_before = usable
            self.refresh_bindings()

    def _draw_bar(self) -> None:
        pane = self._pane
        about = [] if self._target is None or pane.id == "events" else [str(self._target)]
        if isinstance(pane, LogView):
            about += [] if pane.follows else ["stands still; f follows"]
            about += [f"only lines with: {clean(pane.words)}"] if pane.words else []
        self._bar.show(pane.id or "", " │ ".join(about))


def run(supervisor: Supervisor, *, stack: str | None = None) -> None:
    """Show the dashboard until the user leaves it."""
    Dashboard(supervisor, stack=stack).run()
