"""pause and resume: the container's cgroup frozen and thawed."""

from __future__ import annotations

from runtime.commands.lookup import find
from runtime.container.status import require

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.commands.arguments import Arguments, Flag
    from runtime.commands.context import Context

FLAGS: tuple[Flag, ...] = ()


def pause(context: Context, arguments: Arguments) -> int:
    identity = arguments.operand("the container's id")
    found = find(context, identity)
    require("pause", identity, found.status)
    found.cgroup.freeze()
    return 0


def resume(context: Context, arguments: Arguments) -> int:
    identity = arguments.operand("the container's id")
    found = find(context, identity)
    require("resume", identity, found.status)
    found.cgroup.thaw()
    return 0
