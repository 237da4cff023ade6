"""`stacker-runtime` as a program of its own, started isolated by packaging/stacker-runtime.

Before a verb that enters a container, the interpreter replaces itself by one that cannot be written
(see `runtime.linux.sealed`). Nothing else is imported until then: it would be loaded twice.
"""

from __future__ import annotations

import os
import sys

from runtime.commands.verbs import ENTERING
from runtime.linux.sealed import exec_sealed, start_program, take_seal_mark


def main(arguments: list[str]) -> int:
    # a word that only looks like such a verb costs a second start, nothing else
    if not take_seal_mark() and not ENTERING.isdisjoint(arguments):
        exec_sealed([*start_program("runtime.__main__"), *arguments], dict(os.environ))
    from runtime.cli import main as run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
