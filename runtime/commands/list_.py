"""list: all containers of the root, as a table, as JSON, or as ids."""

from __future__ import annotations

from runtime.commands.arguments import Flag, switch
from runtime.commands.context import show, show_json, show_table
from runtime.commands.lookup import find
from runtime.container.directory import identities
from runtime.container.state import listed_state
from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.commands.arguments import Arguments
    from runtime.commands.context import Context
    from runtime.spec.model import Json

FLAGS = (
    Flag("format", "f", "table (default) or json", "FORMAT"),
    switch("quiet", "q", "only the ids"),
)
_COLUMNS = ("id", "pid", "status", "bundle", "created", "owner")


def run(context: Context, arguments: Arguments) -> int:
    format_ = arguments.choice("format", ("table", "json"))
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
    elif format_ == "json":
        show_json(listed, indent=None)
    else:
        heading = tuple(name.upper() for name in _COLUMNS)
        rows = (tuple(str(one[name]) for name in _COLUMNS) for one in listed)
        show_table([heading, *rows])
    return 0
