"""state: what is known of one container, as JSON."""

from __future__ import annotations

from runtime.commands.context import show_json
from runtime.commands.lookup import find
from runtime.container.state import listed_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.commands.arguments import Arguments, Flag
    from runtime.commands.context import Context

FLAGS: tuple[Flag, ...] = ()


def run(context: Context, arguments: Arguments) -> int:
    found = find(context, arguments.operand("the container's id"))
    show_json(listed_state(found.state, found.status))
    return 0
