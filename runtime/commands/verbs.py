"""The verbs: what each is for, and where its code is.

A cold start loads one verb and what that needs; `state` or `kill` should not pay for `create`,
which brings all of `launch` and the modules below it. A program that forks (the monitor) calls
`load_all` once, so that no child of it imports anything.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from runtime.commands.arguments import Arguments, Flag
    from runtime.commands.context import Context

    Verb: TypeAlias = tuple[Callable[[Context, Arguments], int], tuple[Flag, ...]]

# verb -> (operands, what it does)
HELP = {
    "create": ("ID", "make a container; its program waits for start"),
    "start": ("ID", "run the program of a created container"),
    "run": ("ID", "create, start, wait and delete"),
    "exec": ("ID COMMAND [ARGUMENT ...]", "run one more program in a container"),
    "kill": ("ID [SIGNAL]", "send a signal to a container"),
    "delete": ("ID", "remove a container"),
    "state": ("ID", "print the state of a container"),
    "list": ("", "list the containers"),
    "ps": ("ID [PS OPTION ...]", "list the processes of a container"),
    "pause": ("ID", "freeze a container"),
    "resume": ("ID", "thaw a container"),
    "update": ("ID", "change the limits of a container"),
    "events": ("ID", "print the statistics and out-of-memory events of a container"),
    "checkpoint": ("ID", "save the processes of a container with CRIU"),
    "restore": ("ID", "bring back a container that was saved by checkpoint"),
    "spec": ("", "write a config.json to begin with"),
    "features": ("", "print what this runtime can do"),
}
ENTERING = frozenset(("create", "run", "exec"))
# the words after the container's id are somebody else's: a command, or options of ps
COMMAND_FOLLOWS = frozenset(("exec", "ps"))

# verb -> (module of this package, function), where they are not named like the verb and `run`
_ELSEWHERE = {
    "exec": ("exec_", "run"),
    "list": ("list_", "run"),
    "pause": ("freeze", "pause"),
    "resume": ("freeze", "resume"),
}


def find_verb(name: str) -> Verb:
    module, function = _ELSEWHERE.get(name, (name, "run"))
    loaded = __import__(f"runtime.commands.{module}", fromlist=(function,))
    return getattr(loaded, function), loaded.FLAGS


def load_all() -> None:
    from runtime.cgroups.open import load_all as load_managers

    load_managers()
    for name in HELP:
        find_verb(name)
