"""What the dashboard has been told, and how the user wants to see it. Knows no widget."""

from __future__ import annotations

from stacker.tui import arrange, details, view
from stacker.tui.arrange import Line
from stacker.tui.details import Fact
from stacker.tui.rates import Rates, fold
from stacker.tui.view import Row, Target
from stacker.wire.replies import ContainerRow, Containers, StackRow, Stats, StatsRow

HOW_TO_START = "no containers; start a stack with: stacker up -d stack.yaml"


class State:
    """Changed by messages and keys; asked for lines and sentences."""

    def __init__(self) -> None:
        self.order = arrange.ORDER_NAMES[0]
        self.words = ""
        self.faults_only = False
        self.lost: str | None = None
        """Why the supervisor does not answer."""
        self.rows: tuple[Row, ...] = ()
        self._seen = Containers(now=0.0)
        self._samples: dict[str, StatsRow] = {}
        self._rates: dict[str, Rates] = {}

    def see(self, seen: Containers) -> None:
        self._seen = seen
        here = {container.id for container in seen.containers}
        self._samples = {key: value for key, value in self._samples.items() if key in here}
        self._rates = {key: value for key, value in self._rates.items() if key in here}
        self._lay_out()

    def sample(self, stats: Stats) -> None:
        for sample in stats.rows:
            key = sample.container_id
            self._rates[key] = fold(self._samples.get(key), sample, self._rates.get(key))
            self._samples[key] = sample
        self._lay_out()

    def next_order(self) -> None:
        names = arrange.ORDER_NAMES
        self.order = names[(names.index(self.order) + 1) % len(names)]

    def lines(self) -> list[Line]:
        return arrange.arrange(
            self.rows, order=self.order, words=self.words, faults_only=self.faults_only
        )

    def nothing(self) -> str:
        """Why there are no lines."""
        if not self.rows:
            return HOW_TO_START if self.lost is None else "nothing is known yet"
        if self.words:
            return f"nothing holds {self.words!r}; esc shows all"
        return "nothing is wrong; z shows all"

    def container(self, target: Target | None) -> ContainerRow | None:
        """Return what the supervisor said about a container, the newest one of that name."""
        if target is None or not target.service:
            return None
        same = [
            container
            for container in self._seen.containers
            if (container.stack, container.name) == (target.stack, target.name)
        ]
        return max(same, key=lambda container: container.created_at, default=None)

    def members(self, target: Target) -> list[Row]:
        """Return the containers that a verb on the target acts on: of its service, or its stack."""
        return [
            row
            for row in self.rows
            if row.target.stack == target.stack and target.service in ("", row.target.service)
        ]

    def facts(self, target: Target, found: dict[str, object] | StackRow | str) -> list[Fact]:
        if isinstance(found, str):
            return details.of_error(found)
        if isinstance(found, StackRow):
            return details.of_stack(found)
        container = self.container(target)
        if container is None:
            return details.of_error("it is gone")
        sample = self._samples.get(container.id)
        return details.of_container(container, sample, found, now=self._seen.now)

    def headline(self) -> str:
        """Say how all is, and what is left out of the table."""
        parts = [view.summary(self.rows)]
        parts += [f"by {self.order}"] if self.order != arrange.ORDER_NAMES[0] else []
        parts += ["faults only"] if self.faults_only else []
        parts += [f"filter: {self.words}"] if self.words else []
        return " │ ".join(parts)

    def question(self, verb: str, target: Target) -> str:
        """Ask what the user is about to do, with how many it touches."""
        count = len(self.members(target))
        what = "service" if target.service else "all services of stack"
        many = f", {count} containers" if count > 1 else ""
        return f"{verb} {what} {target}{many}?"

    def _lay_out(self) -> None:
        self.rows = view.rows(self._seen.containers, self._samples, self._rates, now=self._seen.now)
