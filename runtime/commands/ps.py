"""ps: the processes of a container, by their numbers on the host."""

from __future__ import annotations

from runtime.commands.arguments import Flag, UsageError
from runtime.commands.context import show, show_json
from runtime.commands.lookup import find
from runtime.container.status import require

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.commands.arguments import Arguments
    from runtime.commands.context import Context

FLAGS = (Flag("format", "f"),)


def run(context: Context, arguments: Arguments) -> int:
    if not arguments.operands:
        raise UsageError("ps needs a container's id")
    identity = arguments.operands[0]
    found = find(context, identity)
    require("ps", identity, found.status)
    pids = found.cgroup.pids()
    if arguments.text("format", "table") == "json":
        show_json(pids, indent=None)
        return 0
    show(f"{'PID':>7} COMMAND")
    for pid in pids:
        show(f"{pid:>7} {_command(pid)}")
    return 0


def _command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().rstrip(b"\0").split(b"\0")
    except OSError:
        return "?"
    # a program can call itself anything, also a terminal's escape sequence
    text = b" ".join(words).decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "?" for char in text)
