"""``stacker``: find the verb, import it alone, run it, turn what went wrong into an exit code.

A verb is a module with ``HELP``, ``EXAMPLES``, ``add_arguments(parser)`` and ``run(call)``; it has
``WAITS`` where it may stand still until Ctrl-C. One that is ``VERBATIM`` hands its words on as they
are, and has no parser.
"""

from __future__ import annotations

import sys

from stacker.base.errors import StackerError
from stacker.cli import notes
from stacker.cli.exits import Exit
from stacker.cli.options import Call, Plain, UsageError, read_plain, split_leading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from types import ModuleType

VERBS = {
    "up": "make a stack true, and keep it true",
    "plan": "say what `up` would do",
    "down": "take a stack away",
    "ps": "list containers",
    "ls": "list stacks",
    "logs": "show what containers wrote",
    "exec": "run a command in a container",
    "start": "start services that were stopped",
    "stop": "stop services; they stay stopped",
    "restart": "stop services and start them again",
    "kill": "send a signal to services",
    "events": "show what happens",
    "stats": "show what containers use",
    "inspect": "show all that is known about a container",
    "pull": "fetch the images of a stack",
    "images": "list images",
    "load": "read images from an archive or an OCI layout",
    "import": "make an image of a root file system tar",
    "config": "show a stack as stacker reads it",
    "check": "say what is wrong with a stack file",
    "ui": "open the dashboard",
    "info": "show what the supervisor is",
    "daemon": "run the supervisor in the foreground",
}

MODULES = {"import": "import_", "exec": "exec_"}
"""Verbs whose names are Python's own words, and their modules."""


def entry() -> None:
    """Run and end the process: the console script."""
    import os

    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed by the caller: `stacker ps >&-`
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 for the process's life
    code = main(sys.argv[1:])
    # at once: taking the interpreter apart is a tenth of the time that `stacker ps` takes
    os._exit(code)


def main(arguments: list[str]) -> int:
    """Run one command line and return its exit code; all that it printed is written then."""
    try:
        try:
            return _run(arguments)
        finally:
            sys.stdout.flush()
    except UsageError as error:
        notes.error(f"{error}")
        return Exit.USAGE
    except StackerError as error:
        notes.error(str(error))
        return Exit.ERROR
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # the reader has what it wanted; keep Python from flushing into the closed pipe again
        _drop_stdout()
        return 141  # 128 + SIGPIPE, as from a program that the signal has ended
    except OSError as error:
        notes.error(f"{error.filename or 'print the answer'}: {error.strerror or error}".lower())
        _drop_stdout()
        return Exit.ERROR


def _run(arguments: list[str]) -> int:
    leading, rest = split_leading(arguments)
    if leading.version:
        return _version()
    verb = rest[0] if rest else "help"
    if leading.help or verb == "help":
        return _help(rest[1:] if verb == "help" else rest)
    if verb not in VERBS:
        raise UsageError(f"{verb!r} is not a command; `stacker help` lists them")

    module = __import__(f"stacker.cli.{MODULES.get(verb, verb)}", fromlist=["run"])
    call = Call(leading, _arguments(verb, module, rest[1:]))
    if not getattr(module, "WAITS", False):
        return module.run(call)
    from stacker.cli.ctrl_c import heeded

    with heeded():
        return module.run(call)


def _arguments(verb: str, module: ModuleType, words: list[str]) -> Namespace | Plain:
    if getattr(module, "VERBATIM", False):
        return Plain({"words": words})
    plain: tuple[dict[str, object], dict[str, str]] | None = getattr(module, "PLAIN", None)
    if plain is not None and (found := read_plain(*plain, words)) is not None:
        return found
    from stacker.cli.parsers import make_parser

    return make_parser(verb, VERBS[verb], module).parse_args(words)


def _help(words: list[str]) -> int:
    from stacker.cli import output

    if words and words[0] in VERBS:
        return _run([words[0], "--help"])
    width = max(map(len, VERBS))
    output.lines(
        [
            "usage: stacker [-f FILE] [-p NAME] COMMAND …",
            "",
            "Keeps a declared set of containers true.",
            "",
            *(f"  {name.ljust(width)}  {text}" for name, text in VERBS.items()),
            "",
            "options, before or after the command:",
            "  -f, --file FILE           a stack file; may be given several times",
            "  -p, --project-name NAME   the stack's name",
            "  --profile NAME            enable a profile; may be given several times",
            "  --project-directory DIR   what to do it from, instead of here",
            "  --root DIR, --run DIR     which supervisor ($STACKER_ROOT, $STACKER_RUN)",
            "  --version                 print the version",
            "",
            "`stacker COMMAND --help` says more, with examples.",
        ]
    )
    return Exit.OK


def _version() -> int:
    from stacker import __version__
    from stacker.cli import output

    output.lines([f"stacker {__version__}"])
    return Exit.OK


def _drop_stdout() -> None:
    import os

    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
