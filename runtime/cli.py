"""The command line of `stacker-runtime`: runc's global flags, then a verb of the table below.

`main` may be called in a child forked from the monitor, which has called `load_all` before: it
keeps nothing between calls, returns the exit code, and lets no exception out.
"""

from __future__ import annotations

import os

from runtime.commands.arguments import Flag, UsageError, help_lines, parse, switch
from runtime.commands.context import LOG_FORMATS, MANAGERS, ROOTLESS, Context, Report, show
from runtime.commands.verbs import COMMAND_FOLLOWS, HELP, find_verb, load_all
from runtime.container.directory import DEFAULT_ROOT, default_root
from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.commands.arguments import Arguments

__all__ = ["load_all", "main"]

VERSION = "0.1.0"
USAGE = 64
LONGEST_ROOT = 3500  # PATH_MAX less an id and the name of a file

_HELP_FLAG = switch("help", "h", "show this help")
GLOBAL_FLAGS = (
    Flag("root", "", f"where the state of containers is kept ({DEFAULT_ROOT})", "DIR"),
    Flag("log", "", "write messages to this file as well", "FILE"),
    Flag("log-format", "", "text (default) or json", "FORMAT"),
    switch("debug", "", "say more in the log"),
    Flag("cgroup-manager", "", "cgroupfs (default), systemd or disabled", "MANAGER"),
    switch("systemd-cgroup", "", "the same as --cgroup-manager systemd"),
    Flag("rootless", "", "true, false or auto (default)", "WHEN"),
    Flag("criu", "", "the program that checkpoint and restore call (criu)", "PATH"),
    _HELP_FLAG,
    switch("version", "v", "show the version"),
)


def main(argv: list[str]) -> int:
    report = Report()
    try:
        top = parse(argv, GLOBAL_FLAGS, interspersed=False)
        report = Report(
            top.text("log"), top.choice("log-format", LOG_FORMATS), debug=top.on("debug")
        )
        if top.on("version"):
            _show_version()
            return 0
        if top.on("help") or not top.operands:
            _show_help()
            return 0 if top.on("help") else USAGE
        report.check()
        return _run(top, report)
    except UsageError as error:
        report.fail(str(error))
        return USAGE
    except RuntimeFault as error:
        report.fail(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # the last boundary: no traceback reaches a user
        report.fail(f"[internal error] {type(error).__name__}: {error}")
        return 1


def _run(top: Arguments, report: Report) -> int:
    verb, *words = top.operands
    if verb == "help":
        _show_help()
        return 0
    if verb not in HELP:
        raise UsageError(f"unknown command {verb!r}")
    function, flags = find_verb(verb)
    flags = (*flags, _HELP_FLAG)
    arguments = parse(words, flags, interspersed=verb not in COMMAND_FOLLOWS)
    if arguments.on("help"):
        _show_verb_help(verb, flags)
        return 0
    manager = top.choice("cgroup-manager", MANAGERS)
    root = os.path.abspath(top.text("root") or default_root())
    if len(os.fsencode(root)) > LONGEST_ROOT:
        raise UsageError(f"--root: longer than {LONGEST_ROOT} bytes")
    context = Context(
        root=root,
        report=report,
        cgroup_manager="systemd" if top.on("systemd-cgroup") else manager,
        rootless=top.choice("rootless", ROOTLESS),
        criu=top.text("criu", "criu"),
    )
    report.debug(f"{verb}: root {context.root}, cgroup manager {context.cgroup_manager}")
    code = function(context, arguments)
    report.debug(f"{verb}: ended with {code}")
    return code


def _show_version() -> None:
    """runc's form: what reads it takes the first line's last word and the line of `spec`."""
    from runtime.container.state import OCI_VERSION

    show(f"stacker-runtime version {VERSION}\nspec: {OCI_VERSION}")


def _show_help() -> None:
    show("usage: stacker-runtime [FLAG ...] COMMAND [FLAG ...] [ID] ...\n")
    for name, (_, text) in HELP.items():
        show(f"  {name:<10}  {text}")
    show("\n" + "\n".join(help_lines(GLOBAL_FLAGS)))


def _show_verb_help(verb: str, flags: tuple[Flag, ...]) -> None:
    operands, text = HELP[verb]
    show(f"usage: stacker-runtime {verb} [FLAG ...] {operands}".rstrip() + f"\n\n{text}\n")
    show("\n".join(help_lines(flags)))
