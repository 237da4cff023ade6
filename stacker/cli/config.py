"""``stacker config``: the stack as stacker reads it, in its long form. Needs no supervisor."""

from __future__ import annotations

from stacker.cli import notes, output
from stacker.cli.exits import Exit
from stacker.cli.loading import load
from stacker.cli.options import add_stack
from stacker.cli.selection import take_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call
    from stacker.stack.model import Stack

HELP = "Includes, extends, variables and defaults are resolved. Secrets are shown as they are read."
EXAMPLES = """examples:
  stacker config                     the stack file here
  stacker config --services          the names of its services
  stacker config --format json | jq '.services.web.ports'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="[FILE]", help="the stack file")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--services", action="store_true", help="only the services' names")
    chosen.add_argument("--images", action="store_true", help="only the images")
    chosen.add_argument("-q", "--quiet", action="store_true", help="only check")
    parser.add_argument(
        "--format", choices=("yaml", "json"), default="yaml", help="how to print (yaml)"
    )
    add_stack(parser)


def run(call: Call) -> int:
    take_file(call, call.arguments.words)
    loaded = load(call)
    for warning in loaded.warnings:
        notes.warning(warning)
    if call.arguments.services:
        output.lines(sorted(loaded.stack.services))
    elif call.arguments.images:
        output.lines(sorted({service.image for service in loaded.stack.services.values()}))
    elif not call.arguments.quiet:
        _print(call, loaded.stack)
    return Exit.OK


def _print(call: Call, stack: Stack) -> None:
    from stacker.stack.load.render import render

    text = render(stack)
    if call.arguments.format == "json":
        import yaml

        output.json_document(yaml.safe_load(text))
    else:
        output.document(text)
