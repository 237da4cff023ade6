"""``stacker inspect``: all that is known about containers, as JSON."""

from __future__ import annotations

from stacker.cli import output
from stacker.cli.exits import Exit
from stacker.cli.options import add_stack
from stacker.cli.selection import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

HELP = "Contents of configs and secrets are never shown."
EXAMPLES = """examples:
  stacker inspect web
  stacker inspect shop-web-1 | jq '.[0].network'
  stacker inspect web | jq '.[0].ids'    # with userns_mode auto: its user and group ids on the host
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="+", metavar="NAME", help="a container, service or id")
    add_stack(parser)


def run(call: Call) -> int:
    supervisor = call.connect()
    stack = find(call, supervisor)
    output.json_document([supervisor.inspect(stack, name) for name in call.arguments.names])
    return Exit.OK
