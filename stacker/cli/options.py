"""Options that verbs share, and what a verb gets to see of them.

The same ones may stand before the verb, as in ``docker compose -f a.yaml ps``. There they are read
by hand: only one parser is ever built, that of the verb that was asked for, and none at all where
the verb stands alone or with flags only.
"""

from __future__ import annotations

import os

from stacker.client import session

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from stacker.client.api import Supervisor


class UsageError(Exception):
    """The command line is wrong; the message says how."""


class Leading:
    """Options that were given before the verb."""

    def __init__(self) -> None:
        self.values: dict[str, list[str]] = {}
        self.help = False
        self.version = False

    def last(self, name: str) -> str | None:
        return self.values.get(name, [None])[-1]


_LEADING = {
    "-f": "file",
    "--file": "file",
    "-p": "project",
    "--project-name": "project",
    "--profile": "profile",
    "--project-directory": "directory",
    "--root": "root",
    "--run": "run_dir",
}


def split_leading(arguments: list[str]) -> tuple[Leading, list[str]]:
    """Read the options before the verb; return them and the rest, which starts with the verb."""
    leading = Leading()
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        option, equals, value = rest.pop(0).partition("=")
        if option in ("-h", "--help"):
            leading.help = True
        elif option in ("-V", "--version"):
            leading.version = True
        elif option not in _LEADING:
            raise UsageError(f"{option} is not an option; `stacker help` lists them")
        elif equals or rest:
            leading.values.setdefault(_LEADING[option], []).append(value if equals else rest.pop(0))
        else:
            raise UsageError(f"{option} needs a value")
    return leading, rest


_NAME = ("-p", "--project-name")


class Plain:
    """Arguments of a command line that needed no parser."""

    def __init__(self, values: dict[str, object]) -> None:
        self.__dict__.update(values)


def read_plain(
    defaults: dict[str, object], flags: dict[str, str], words: list[str]
) -> Plain | None:
    """Read a command line of flags, and the stack's name, only; None when it takes a parser."""
    values = dict(defaults)
    pending = iter(words)
    for word in pending:
        if word in flags:
            values[flags[word]] = True
        elif word in _NAME and (name := next(pending, "-"))[:1] != "-":
            values["project"] = name
        else:
            return None
    return Plain(values)


class Call:
    """One command line, read: the verb's own arguments, and what all verbs need."""

    def __init__(self, leading: Leading, arguments: argparse.Namespace | Plain) -> None:
        self.arguments: Any = arguments
        own = vars(arguments)
        self.files = [*leading.values.get("file", ()), *(own.get("file") or ())]
        self.project: str | None = (
            own.get("project") or leading.last("project") or os.environ.get("COMPOSE_PROJECT_NAME")
        )
        self.profiles = [*leading.values.get("profile", ()), *(own.get("profile") or ())]
        directory = own.get("directory") or leading.last("directory") or os.getcwd()
        self.working_dir = os.path.abspath(directory)
        self.place = session.Place(
            root=own.get("root") or leading.last("root"),
            run=own.get("run_dir") or leading.last("run_dir"),
        )

    def connect(self) -> Supervisor:
        """Return the running supervisor; Unavailable when there is none."""
        return session.connect(self.place)

    def connect_or_start(self, *options: str) -> Supervisor:
        return session.connect_or_start(self.place, options=options)

    def absolute_files(self) -> tuple[str, ...]:
        """Return the stack files that were named, as the supervisor can find them."""
        return tuple(os.path.join(self.working_dir, file) for file in self.files)


def add_stack(parser: argparse.ArgumentParser, *, short_file: bool = True) -> None:
    """Options that say which stack is meant; ``-f`` is *follow* for some verbs."""
    names = ("-f", "--file") if short_file else ("--file",)
    parser.add_argument(
        *names, dest="file", action="append", metavar="FILE", help="a stack file (repeatable)"
    )
    parser.add_argument(
        "-p", "--project-name", dest="project", metavar="NAME", help="the stack's name"
    )
    parser.add_argument(
        "--profile", action="append", metavar="NAME", help="enable a profile (repeatable)"
    )
    parser.add_argument(
        "--project-directory", dest="directory", metavar="DIR", help="work as if called there"
    )


def add_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format", choices=("table", "json"), default="table", help="how to print (table)"
    )


def add_timeout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-t",
        "--timeout",
        type=seconds,
        metavar="SECONDS",
        help="grace before a process is killed (what each service says)",
    )


def pull_policy(text: str) -> str:
    """Read a pull policy; what it says is the supervisor's to follow."""
    from stacker.base.errors import Invalid
    from stacker.oci import pull_policy as policies

    try:
        policies.parse(text)
    except Invalid as error:
        raise UsageError(f"{error.message}") from error
    return text


def add_policy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--policy",
        type=pull_policy,
        default="always",
        metavar="POLICY",
        help="always, missing, daily, weekly or every_<duration> (always)",
    )


def add_registry(parser: argparse.ArgumentParser) -> None:
    """Whose credentials, and for whom."""
    parser.add_argument(
        "registry",
        nargs="?",
        default="docker.io",
        metavar="REGISTRY",
        help="host[:port] (docker.io)",
    )
    parser.add_argument(
        "-p", "--project-name", dest="project", metavar="NAME", help="for this stack alone"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print events, a JSON object a line")


def seconds(text: str) -> float:
    """Read a number of seconds that is not negative."""
    value = float(text)
    if not 0 <= value < 1e9:
        raise ValueError(text)
    return value


def count(text: str) -> int:
    """Read a number that is not negative."""
    value = int(text)
    if value < 0:
        raise ValueError(text)
    return value
