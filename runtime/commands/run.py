"""run: create, start and, unless detached, wait and delete."""

from __future__ import annotations

from runtime.commands import create
from runtime.commands.arguments import switch
from runtime.commands.delete import delete
from runtime.commands.foreground import adopt_orphans, wait_for
from runtime.commands.start import start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.commands.arguments import Arguments
    from runtime.commands.context import Context

FLAGS = (*create.FLAGS, switch("detach", "d"), switch("keep"), switch("no-subreaper"))


def run(context: Context, arguments: Arguments) -> int:
    detach = arguments.on("detach")
    if not detach:
        adopt_orphans()
    state = create.create_from(context, arguments, arguments.text("console-socket"))
    try:
        start(context, state.id)
    except BaseException:
        delete(context, state.id, force=True)
        raise
    if detach:
        return 0
    code = wait_for(state.pid)
    if not arguments.on("keep"):
        delete(context, state.id, force=True)
    return code
