"""``stacker daemon``: become the supervisor; what its options are, it says itself."""

from __future__ import annotations

import argparse
import os
import sys

from stacker.client.session import daemon_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stacker.cli.options import Call

EXAMPLES = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--group", metavar="NAME")
    parser.add_argument("--runtime", metavar="NAME")
    parser.add_argument("--registry-timeout", metavar="SECONDS")
    parser.add_argument("--layers", metavar="FORM")
    parser.add_argument("--ephemeral", action="store_true")
    parser.add_argument("--verbose", action="store_true")


def run(call: Call) -> int:
    arguments = call.arguments
    command = daemon_command(("--root", call.place.root, "--run", call.place.run))
    for name in ("group", "runtime", "registry-timeout", "layers"):
        if value := getattr(arguments, name.replace("-", "_")):
            command += [f"--{name}", value]
    command += [f"--{name}" for name in ("ephemeral", "verbose") if getattr(arguments, name)]
    sys.stdout.flush()
    os.execv(command[0], command)
