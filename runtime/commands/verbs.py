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

HELP = {
    "create": "make a container; its program waits for start",
    "start": "run the program of a created container",
    "run": "create, start, wait and delete",
    "exec": "run one more program in a container",
    "kill": "send a signal to a container",
    "delete": "remove a container",
    "state": "print the state of a container",
    "list": "list the containers",
    "ps": "list the processes of a container",
    "pause": "freeze a container",
    "resume": "thaw a container",
    "features": "print what this runtime can do",
}
ENTERING = frozenset(("create", "run", "exec"))
# the words after the container's id are a command of the user's, with flags of its own
COMMAND_FOLLOWS = frozenset(("exec",))


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
    for name in HELP:
        find_verb(name)
