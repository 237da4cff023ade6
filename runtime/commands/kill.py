"""kill: a signal to the container's first process, or (--all) to all of them."""

from __future__ import annotations

from runtime.commands.arguments import UsageError, switch
from runtime.commands.lookup import find
from runtime.commands.select_ import REGEX, for_each
from runtime.container.identity import boot_id, send
from runtime.container.status import STOPPED, require
from runtime.errors import StateConflict
from runtime.linux.signals import number_of, signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.commands.arguments import Arguments
    from runtime.commands.context import Context
    from runtime.commands.lookup import Found

FLAGS = (switch("all", "a", "signal all processes, not only the first"), REGEX)
_REALTIME = {"RTMIN": signal.SIGRTMIN, "RTMAX": signal.SIGRTMAX}


def run(context: Context, arguments: Arguments) -> int:
    if not 1 <= len(arguments.operands) <= 2:
        raise UsageError("kill needs a container's id and, if it is not TERM, a signal")
    word, *rest = arguments.operands
    number = parse_signal(rest[0] if rest else "TERM")
    every = arguments.on("all")

    def act(identity: str) -> None:
        found = find(context, identity)
        if every:
            # processes may outlive the first one where the pid namespace is shared
            if found.status != STOPPED or found.cgroup.pids():
                _signal_all(found, number)
        elif found.status != STOPPED or not arguments.on("regex"):
            _signal_first(identity, found, number)

    return for_each(context, arguments, word, act)


def _signal_first(identity: str, found: Found, number: int) -> None:
    if number == signal.SIGKILL and found.status == STOPPED and _left_alone(found):
        found.cgroup.kill()
        return
    require("kill", identity, found.status)
    try:
        send(found.state.pid, found.state.start_time, number)
    except StateConflict as error:
        raise StateConflict(f"container not running: {identity}") from error
    if number == signal.SIGKILL:
        found.cgroup.thaw_legacy()
    if number == signal.SIGKILL and not found.state.own_pid_namespace:
        # in a pid namespace of its own the kernel takes the rest along
        found.cgroup.kill()


def _left_alone(found: Found) -> bool:
    """Whether others outlive the first process, as they may in a pid namespace that is shared."""
    state = found.state
    shared = not state.own_pid_namespace and state.boot_id == boot_id()
    return shared and bool(found.cgroup.pids())


def parse_signal(text: str) -> int:
    """9, KILL, SIGKILL, sigkill, RTMIN+3."""
    if text.isascii() and text.isdigit():
        number = int(text)
        if 0 <= number <= signal.SIGRTMAX:
            return number
        raise UsageError(f"signal {text!r}: unknown")
    name = text.upper().removeprefix("SIG")
    base, plus, distance = name.partition("+")
    if base in _REALTIME and plus and distance.isascii() and distance.isdigit():
        number = _REALTIME[base] + int(distance)
        if number <= signal.SIGRTMAX:
            return number
    number = number_of(name)
    if number is None:
        raise UsageError(f"signal {text!r}: unknown")
    return number


def _signal_all(found: Found, number: int) -> None:
    if number == signal.SIGKILL:
        found.cgroup.kill()
    else:
        found.cgroup.signal(number)
