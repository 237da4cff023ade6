"""ps: the processes of a container, by their numbers on the host.

runc runs ps(1) and keeps the lines of the container's processes. This reads /proc itself: no
program of the host is run, and its columns cannot be mistaken for others.
"""

from __future__ import annotations

from runtime.commands.arguments import Flag, UsageError
from runtime.commands.context import show_json, show_table
from runtime.commands.lookup import find
from runtime.commands.ps_columns import COLUMNS, Clock, read_row
from runtime.container.status import require

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.commands.arguments import Arguments
    from runtime.commands.context import Context

FLAGS = (Flag("format", "f", "table (default) or json: the numbers only", "FORMAT"),)
_PID_WIDTH = 7
_FULL = ("uid", "pid", "ppid", "c", "stime", "tty", "time", "cmd")  # ps -ef
# ps options that name a set of columns
_SETS = {
    "f": _FULL,
    "l": ("s", "uid", "pid", "ppid", "c", "pri", "ni", "sz", "tty", "time", "comm"),
    "x": ("pid", "tty", "stat", "time", "command"),
    "u": ("user", "pid", "%cpu", "%mem", "vsz", "rss", "tty", "stat", "start", "time", "command"),
}
# those that say which processes, all of which are the container's here, or how wide a line is
_SELECTING = frozenset("eAadgNrTwH")


def run(context: Context, arguments: Arguments) -> int:
    if not arguments.operands:
        raise UsageError("ps needs a container's id")
    identity, *options = arguments.operands
    format_ = arguments.choice("format", ("table", "json"))
    columns = columns_of(options)
    found = find(context, identity)
    require("ps", identity, found.status)
    pids = found.cgroup.pids()
    if format_ == "json":
        show_json(pids, indent=None)
        return 0
    clock = Clock()
    # None: it ended while we looked
    rows = [row for pid in pids if (row := read_row(pid, columns, clock)) is not None]
    heading = tuple(COLUMNS[name][0] for name in columns)
    show_table([_right(columns, row) for row in (heading, *rows)])
    return 0


def _right(columns: tuple[str, ...], row: tuple[str, ...]) -> tuple[str, ...]:
    """Process numbers to the right, as ps(1) has them: suites look for the blanks before them."""
    return tuple(
        cell.rjust(_PID_WIDTH) if name in ("pid", "ppid") else cell
        for name, cell in zip(columns, row, strict=True)
    )


def columns_of(options: list[str]) -> tuple[str, ...]:
    """The columns that ps(1)'s options ask for: -o and the sets of -f, -l and u."""
    chosen: tuple[str, ...] = ()
    asked: list[str] = []
    left = list(options)
    while left:
        word = left.pop(0)
        letters = word.lstrip("-")
        before, o, names = letters.partition("o")
        if word.startswith("--") or set(before) - {*_SELECTING, *_SETS}:
            raise UsageError(f"ps option {word}: not known here")
        for letter in before:
            # x says foremost which processes: it yields to a set that is asked for
            if letter != "x" or not chosen:
                chosen = _SETS.get(letter, chosen)
        if o:
            names = names or (left.pop(0) if left else "")
            asked += names.replace(" ", ",").split(",")
    for name in asked:
        if name not in COLUMNS:
            raise UsageError(f"ps column {name!r}: not one of {', '.join(COLUMNS)}")
    return tuple(asked) or chosen or _FULL
