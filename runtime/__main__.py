"""`stacker-runtime` as a program of its own, started isolated by packaging/stacker-runtime.

Before a verb that enters a container, the interpreter replaces itself by one that cannot be written
(see `runtime.linux.sealed`). Nothing else is imported until then: it would be loaded twice.
"""

from __future__ import annotations

import gc
import os
import sys

from runtime import bytecode


def main(arguments: list[str]) -> None:
    """Does not return: taking the interpreter down would cost a tenth of a whole `state`."""
    # what lives this short leaves no garbage that is worth a search
    gc.disable()
    bytecode.install()
    from runtime.commands.verbs import ENTERING

    # a word that only looks like such a verb costs a second start, nothing else
    if not ENTERING.isdisjoint(arguments):
        from runtime.linux.sealed import exec_sealed, start_program, take_seal_mark

        if not take_seal_mark():
            exec_sealed([*start_program("runtime.__main__"), *arguments], dict(os.environ))
    from runtime.cli import main as run
    from runtime.linux.signals import signal

    # what a caller ignores is inherited: no child could be waited for (waitpid(2), ECHILD)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    code = run(arguments)
    try:
        sys.stdout.flush()
    except OSError:
        code = code or 1
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
