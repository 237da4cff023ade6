"""The verbs, in two tables: those that put a process into a container, and those that do not.

The first kind needs all of `launch` and the modules below it, which is most of what a cold start
loads, and a sealed interpreter; `state` or `kill` should not pay for either. A program that forks
(the monitor) calls `load_all` once, so that no child of it imports anything.
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


def find_verb(name: str) -> Verb:
    return (_entering() if name in ENTERING else _outside())[name]


def load_all() -> None:
    _entering()
    _outside()


def _entering() -> dict[str, Verb]:
    from runtime.commands import create, exec_, run

    return {
        "create": (create.run, create.FLAGS),
        "run": (run.run, run.FLAGS),
        "exec": (exec_.run, exec_.FLAGS),
    }


def _outside() -> dict[str, Verb]:
    from runtime.commands import delete, features, freeze, kill, list_, ps, start, state

    return {
        "start": (start.run, start.FLAGS),
        "kill": (kill.run, kill.FLAGS),
        "delete": (delete.run, delete.FLAGS),
        "state": (state.run, state.FLAGS),
        "list": (list_.run, list_.FLAGS),
        "ps": (ps.run, ps.FLAGS),
        "pause": (freeze.pause, freeze.FLAGS),
        "resume": (freeze.resume, freeze.FLAGS),
        "features": (features.run, features.FLAGS),
    }
