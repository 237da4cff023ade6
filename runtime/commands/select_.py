"""Which containers a verb with --regex means (crun's flag): those whose id the expression finds."""

from __future__ import annotations

from runtime.commands.arguments import UsageError, switch
from runtime.container.directory import check_id, identities
from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.commands.arguments import Arguments
    from runtime.commands.context import Context

REGEX = switch("regex", "r", "the id is a regular expression: all containers that it finds")


def for_each(context: Context, arguments: Arguments, word: str, act: Callable[[str], None]) -> int:
    """Act on the one of that id, or on all that match, where one failure does not stop the rest."""
    if not arguments.on("regex"):
        act(check_id(word))
        return 0
    failed = False
    for identity in _matching(context.root, word):
        try:
            act(identity)
        except RuntimeFault as error:
            context.report.fail(str(error))
            failed = True
    return int(failed)


def _matching(root: str, expression: str) -> list[str]:
    # only for this flag: the module costs more than a whole `kill`
    import re

    try:
        compiled = re.compile(expression)
    except re.error as error:
        raise UsageError(f"--regex {expression!r}: {error}") from error
    return [identity for identity in identities(root) if compiled.search(identity)]
