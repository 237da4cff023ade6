"""Options of the verbs that make images, and what they mean as instructions of a Dockerfile."""

from __future__ import annotations

import os
import time

from stacker.cli.options import UsageError
from stacker.wire.images import MakingBody

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

CHANGES = "CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, STOPSIGNAL, USER, VOLUME or WORKDIR"
EPOCH = "SOURCE_DATE_EPOCH"
_FLAGS = (
    ("--cmd", "CMD", "COMMAND", "what a container runs: a JSON list, or a line for the shell"),
    ("--entrypoint", "ENTRYPOINT", "COMMAND", "what the command is given to"),
    ("--env", "ENV", "NAME=VALUE", "a variable of its environment (repeatable)"),
    ("--expose", "EXPOSE", "PORT[/PROTOCOL]", "a port that it listens on (repeatable)"),
    ("--label", "LABEL", "NAME=VALUE", "a label of the image (repeatable)"),
    ("--stop-signal", "STOPSIGNAL", "SIGNAL", "what ends it"),
    ("--user", "USER", "USER[:GROUP]", "as whom it runs"),
    ("--volume", "VOLUME", "PATH", "where its data is (repeatable)"),
    ("--workdir", "WORKDIR", "DIR", "where it starts"),
)
_COMMANDS = ("CMD", "ENTRYPOINT")
_PAIRS = ("ENV", "LABEL")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a verb what it needs to make an image."""
    for flag, instruction, metavar, text in _FLAGS:
        parser.add_argument(
            flag, dest=instruction, action="append", default=[], metavar=metavar, help=text
        )
    parser.add_argument(
        "-c", "--change", action="append", default=[], metavar="INSTRUCTION", help=CHANGES
    )
    parser.add_argument("-m", "--message", default="", metavar="TEXT", help="for its history")
    parser.add_argument("-a", "--author", default="", metavar="NAME", help="who made it")
    parser.add_argument(
        "--compression",
        choices=("gzip", "zstd", "none"),
        default="gzip",
        help="of the layer's blob (gzip)",
    )


def body(arguments: argparse.Namespace) -> MakingBody:
    """What is to be made, with the time that SOURCE_DATE_EPOCH says."""
    return MakingBody(
        reference=arguments.reference,
        changes=tuple(changes(arguments)),
        message=arguments.message,
        author=arguments.author,
        compression=arguments.compression,
        epoch=epoch(),
    )


def changes(arguments: argparse.Namespace) -> list[str]:
    """The flags as instructions, then those that were given as such."""
    import shlex

    out: list[str] = []
    for flag, instruction, _, _ in _FLAGS:
        for value in getattr(arguments, instruction):
            if instruction in _COMMANDS:
                out.append(f"{instruction} {value}")
                continue
            if instruction in _PAIRS:
                name, equals, rest = value.partition("=")
                if not name or not equals:
                    raise UsageError(f"{flag} {value}: it should be NAME=VALUE")
                out.append(f"{instruction} {shlex.quote(name)}={shlex.quote(rest)}")
            else:
                out.append(f"{instruction} {shlex.quote(value)}")
    return [*out, *arguments.change]


def epoch() -> int | None:
    """Read SOURCE_DATE_EPOCH (reproducible-builds.org); None where it is not set."""
    text = os.environ.get(EPOCH, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or int(text) > time.time() + (1 << 32):
        raise UsageError(f"${EPOCH}: {text[:40]!r} is not a time in seconds")
    return int(text)
