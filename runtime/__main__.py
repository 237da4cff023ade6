"""`stacker-runtime` as a program of its own, started isolated by packaging/stacker-runtime.

The interpreter first replaces itself by a copy of itself that cannot be written (see
`runtime.linux.sealed`), and only then reads its command line.
"""

from __future__ import annotations

import os
import sys

from runtime.linux.sealed import exec_sealed, start_program, take_seal_mark


def main(arguments: list[str]) -> int:
    if not take_seal_mark():
        exec_sealed([*start_program("runtime.__main__"), *arguments], dict(os.environ))
    from runtime.cli import main as run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
