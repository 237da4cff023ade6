"""list: all containers of the root, as a table, as JSON, or as ids."""

from __future__ import annotations

from runtime.commands.arguments import Flag, UsageError, switch
from runtime.commands.context import show, show_json
from runtime.commands.lookup import find
from runtime.container.directory import identities
from runtime.container.state import listed_state
from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.commands.arguments import Arguments
    from runtime.commands.context import Context
    from runtime.spec.model import Json

FLAGS = (Flag("format", "f"), switch("quiet", "q"))
_COLUMNS = ("id", "pid", "status", "bundle", "created", "owner")


def run(context: Context, arguments: Arguments) -> int:
    listed: list[Json] = []
    for identity in identities(context.root):
        try:
            found = find(context, identity)
        except RuntimeFault as error:
            # one that is being made or removed right now, or whose state cannot be read
            context.report.warn(str(error))
            continue
        listed.append(listed_state(found.state, found.status))
    if arguments.on("quiet"):
        for one in listed:
            show(one["id"])
    elif arguments.text("format", "table") == "json":
        show_json(listed, indent=None)
    elif arguments.text("format", "table") == "table":
        _show_table(listed)
    else:
        raise UsageError(f"--format: {arguments.text('format')!r} is neither table nor json")
    return 0


def _show_table(listed: list[Json]) -> None:
    rows = [tuple(name.upper() for name in _COLUMNS)]
    rows += [tuple(str(one[name]) for name in _COLUMNS) for one in listed]
    widths = [max(len(row[index]) for row in rows) for index in range(len(_COLUMNS))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        show("   ".join(cells).rstrip())
