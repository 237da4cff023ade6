"""The parser of the one verb that was asked for; apart, because ``argparse`` is slow to import."""

from __future__ import annotations

import argparse
import os

from stacker.cli.options import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import NoReturn


def make_parser(verb: str, text: str, module: ModuleType) -> argparse.ArgumentParser:
    """Build the parser of one verb."""
    more: str = getattr(module, "HELP", "")
    parser = _Parser(
        prog=f"stacker {verb}",
        description=f"{text[0].upper()}{text[1:]}." + (f"\n\n{more}" if more else ""),
        epilog=module.EXAMPLES,
        formatter_class=_Help,
    )
    module.add_arguments(parser)
    place = parser.add_argument_group("which supervisor")
    place.add_argument("--root", metavar="DIR", help="its state directory ($STACKER_ROOT)")
    place.add_argument(
        "--run", dest="run_dir", metavar="DIR", help="its run directory ($STACKER_RUN)"
    )
    return parser


class _Help(argparse.RawDescriptionHelpFormatter):
    """Says how wide the terminal is: argparse would import ``shutil`` to find out, 3 ms."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)

    def _format_args(self, action: argparse.Action, default_metavar: str) -> str:
        """Leave alone what says itself that it may be missing: ``[FILE] [SERVICE…]``."""
        metavar = action.metavar
        if action.nargs == "*" and isinstance(metavar, str) and metavar.startswith("["):
            return metavar
        return super()._format_args(action, default_metavar)


def _columns() -> int:
    try:
        return int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        pass
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:
        return 80


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\nsee: {self.prog} --help")
