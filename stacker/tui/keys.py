"""The keys of the dashboard, and what the help screen says about them."""

from __future__ import annotations

from textual.binding import Binding

BINDINGS = (
    Binding("q", "quit", "quit"),
    Binding("ctrl+c", "quit", show=False, priority=True),
    Binding("question_mark,f1", "help", "help", key_display="?"),
    Binding("slash", "find", "filter", key_display="/"),
    Binding("l,1", "pane('logs')", "logs"),
    Binding("d,2", "pane('details')", "details"),
    Binding("e,3", "pane('events')", "events"),
    Binding("x", "shell", "shell"),
    Binding("s", "ask('stop')", "stop"),
    Binding("S", "ask('start')", "start"),
    Binding("r", "ask('restart')", "restart"),
    Binding("z", "faults", show=False),
    Binding("o", "order", show=False),
    Binding("f", "follow", show=False),
    Binding("w", "wrap", show=False),
    Binding("t", "stamps", show=False),
    Binding("m", "enlarge", show=False),
    Binding("escape", "leave", show=False),
)

HELP = (
    ("↑ ↓ j k g G", "choose a container, or a whole stack"),
    ("enter", "go to the lower pane; esc comes back"),
    ("tab", "from one half to the other"),
    ("l d e, 1 2 3", "logs, details, events"),
    ("", ""),
    ("/", "show what holds some words: containers,"),
    ("", "or lines when the lower pane has the focus"),
    ("esc", "end that"),
    ("z", "only what is wrong"),
    ("o", "order: stack, cpu, memory, net, restarts"),
    ("m", "enlarge the lower half"),
    ("", ""),
    ("f", "follow the logs, or stand still"),
    ("w t", "wrap long lines; say when"),
    ("", ""),
    ("x", "a shell in the container"),
    ("S s r", "start, stop, restart the service or stack"),
    ("q", "quit; all containers go on"),
)
"""Keys, what they do; the keys of widgets too."""
