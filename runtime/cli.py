"""The command line of `stacker-runtime`: runc's global flags, then a verb of the table below.

`main` may be called in a child forked from the monitor, which has called `load_all` before: it
keeps nothing between calls, returns the exit code, and lets no exception out.
"""

from __future__ import annotations

import os

from runtime.commands.arguments import Flag, UsageError, parse, switch
from runtime.commands.context import Context, Report, show
from runtime.commands.verbs import COMMAND_FOLLOWS, HELP, find_verb, load_all
from runtime.container.directory import DEFAULT_ROOT
from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.commands.arguments import Arguments

__all__ = ["load_all", "main"]

VERSION = "0.1.0"
USAGE = 64

GLOBAL_FLAGS = (
    Flag("root"),
    Flag("log"),
    Flag("log-format"),
    Flag("rootless"),
    Flag("cgroup-manager"),
    switch("debug"),
    switch("systemd-cgroup"),
    switch("help", "h"),
    switch("version", "v"),
)


def main(argv: list[str]) -> int:
    report = Report()
    try:
        top = parse(argv, GLOBAL_FLAGS, interspersed=False)
        report = Report(top.text("log"), top.text("log-format", "text"))
        if top.on("version"):
            show(f"stacker-runtime version {VERSION}\nspec: 1.2.0")
            return 0
        if top.on("help") or not top.operands:
            _show_help()
            return 0 if top.on("help") else USAGE
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
    if verb not in HELP:
        raise UsageError(f"unknown command {verb!r}")
    function, flags = find_verb(verb)
    arguments = parse(words, flags, interspersed=verb not in COMMAND_FOLLOWS)
    systemd = top.on("systemd-cgroup") or top.text("cgroup-manager") == "systemd"
    root = os.path.abspath(top.text("root", DEFAULT_ROOT))
    return function(Context(root=root, report=report, systemd_cgroup=systemd), arguments)


def _show_help() -> None:
    show("usage: stacker-runtime [--root DIR] [--log FILE] COMMAND [FLAGS] [ID] ...\n")
    for name, text in HELP.items():
        show(f"  {name:<10} {text}")
