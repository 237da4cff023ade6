"""run: create, start and, unless detached, wait and delete."""

from __future__ import annotations

from runtime.commands import create
from runtime.commands.arguments import switch
from runtime.commands.delete import delete
from runtime.commands.foreground import Signals, adopt_orphans, leave_orphans, wait_for
from runtime.commands.relay import receive_relay
from runtime.commands.start import start, tell_when_ready
from runtime.linux.sockets import packet_pair

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.commands.arguments import Arguments
    from runtime.commands.context import Context
    from runtime.commands.relay import Relay
    from runtime.container.state import State

FLAGS = (
    *create.FLAGS,
    switch("detach", "d", "return when the program runs"),
    switch("keep", "", "do not delete the container when its program has ended"),
    switch("no-subreaper", "", "do not reap the orphans of the container"),
)


def run(context: Context, arguments: Arguments) -> int:
    if arguments.on("detach"):
        state = create.create_from(context, arguments)
        _start_or_delete(context, state, None, None)
        return 0
    adopt_orphans()
    with Signals() as signals:
        ours, sent = packet_pair()
        state = create.create_from(context, arguments, sent)
        relay = receive_relay(ours, sent)
        if arguments.on("no-subreaper"):
            leave_orphans()
        code = _start_or_delete(context, state, relay, signals)
        if not arguments.on("keep"):
            delete(context, state.id, force=True)
    return code


def _start_or_delete(
    context: Context, state: State, relay: Relay | None, signals: Signals | None
) -> int:
    """In the foreground, where there are signals to pass on, also wait; gives the exit code."""
    try:
        notify = start(context, state.id)
        if signals is None:
            tell_when_ready(notify, state)
            return 0
        return wait_for(state.pid, signals, relay, notify)
    except BaseException:
        delete(context, state.id, force=True)
        raise
    finally:
        if relay is not None:
            relay.end()
