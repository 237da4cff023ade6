"""``stacker lock``: write down the digests that a stack's images have now."""

from __future__ import annotations

import json
import os

from stacker.cli import notes, output, progress
from stacker.cli.exits import Exit
from stacker.cli.options import add_stack
from stacker.cli.selection import declaration, take_file
from stacker.wire.images import LockReply, LockRequest
from stacker.wire.message import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

WAITS = True
HELP = """Registries are asked what the tags stand for; nothing is fetched. The file,
stack.lock.yaml beside stack.yaml, belongs into version control; `stacker up --locked` holds to it.
An image that was made or loaded here, or whose pull_policy is never, is locked as it is here."""
EXAMPLES = """examples:
  stacker lock
  stacker lock --offline shop.yaml    what is here now; writes shop.lock.yaml
  stacker lock --check                exit 2 where the file is not what the registries say
"""

HEAD = """# The images of a stack, as `stacker lock` found them. `stacker up --locked` uses these.
version: 1
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="[FILE]", help="the stack file")
    parser.add_argument("--offline", action="store_true", help="ask no registry")
    parser.add_argument("--check", action="store_true", help="write nothing; say what changed")
    add_stack(parser)


def run(call: Call) -> int:
    take_file(call, call.arguments.words)
    wanted = LockRequest(declaration=declaration(call), offline=call.arguments.offline)
    operation = call.connect_or_start().lock(wanted)
    locked = decode(LockReply, progress.follow(operation), lenient=True)
    text = document(locked.images)
    if call.arguments.check:
        return _check(locked.path, text)
    _write(locked.path, text)
    output.lines([locked.path])
    return Exit.OK


def document(images: dict[str, str]) -> str:
    """The lock file; a JSON string is a YAML string as well."""
    if not images:
        return f"{HEAD}images: {{}}\n"
    lines = [f"  {json.dumps(name)}: {json.dumps(images[name])}\n" for name in sorted(images)]
    return f"{HEAD}images:\n{''.join(lines)}"


def _check(path: str, text: str) -> int:
    try:
        with open(path, encoding="utf-8") as file:
            before = file.read()
    except FileNotFoundError:
        before = ""
    if before == text:
        return Exit.OK
    notes.note(f"{path} is not what `stacker lock` would write")
    return Exit.PENDING


def _write(path: str, text: str) -> None:
    fresh = f"{path}.{os.getpid()}.new"
    with open(fresh, "x", encoding="utf-8") as file:
        file.write(text)
    os.rename(fresh, path)
