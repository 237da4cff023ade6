"""``stacker image inspect``: digests, layers, and the documents themselves, as JSON."""

from __future__ import annotations

from stacker.cli import output
from stacker.cli.exits import Exit
from stacker.wire.message import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

HELP = "The manifest and the config are shown as they are, with fields that stacker does not know."
EXAMPLES = """examples:
  stacker image inspect redis:7
  stacker image inspect redis:7 | jq '.[0].config.config.Env'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("references", nargs="+", metavar="IMAGE", help="a name, digest or id")


def run(call: Call) -> int:
    supervisor = call.connect_or_start()
    found = [supervisor.image(reference) for reference in call.arguments.references]
    output.json_document([encode(image) for image in found])
    return Exit.OK
