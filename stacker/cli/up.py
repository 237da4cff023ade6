"""``stacker up``: declare a stack, show how it becomes true, then its logs until Ctrl-C."""

from __future__ import annotations

import time

from stacker.base.errors import Failed, Unavailable
from stacker.cli import interrupts, notes
from stacker.cli.exits import Exit
from stacker.cli.options import add_stack
from stacker.cli.progress import Progress
from stacker.cli.selection import declaration, take_file
from stacker.wire.message import decode
from stacker.wire.replies import UpReply, WaitReply
from stacker.wire.requests import UpRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call
    from stacker.client.api import Supervisor
    from stacker.client.streams import Operation

HELP = """Without -d it stays attached: progress first, then the logs of all services. Ctrl-C
stops the stack, which is then declared stopped; a second one kills it.

A service that has ended with 0 is not run again, unless its declaration or its image has changed;
one that has failed is. `stacker start SERVICE` runs it again in any case."""
WAITS = True
EXAMPLES = """examples:
  stacker up                         the stack.yaml or compose.yaml here
  stacker up -d --wait shop.yaml     in the background; return when it is healthy
  stacker up --watch                 apply the file again whenever it is saved
  stacker up --pull always -d web    look for a newer image of one service
"""

RETRY_AFTER_S = 0.2
"""A stream that breaks sooner is not asked for again: it would break again."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words", nargs="*", metavar="[FILE] [SERVICE…]", help="the stack file; only these services"
    )
    parser.add_argument("-d", "--detach", action="store_true", help="return when it runs")
    parser.add_argument(
        "--wait", action="store_true", help="return when it is healthy or completed (implies -d)"
    )
    parser.add_argument(
        "--pull", choices=("always", "missing", "never"), help="when to ask the registry"
    )
    parser.add_argument("--watch", action="store_true", help="apply the files whenever saved")
    parser.add_argument(
        "--force-recreate", action="store_true", help="make containers anew though unchanged"
    )
    parser.add_argument("--remove-orphans", action="store_true", help="accepted; always done")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.add_argument("--runtime", metavar="NAME", help="for a supervisor that is started now")
    add_stack(parser)


def run(call: Call) -> int:
    arguments = call.arguments
    services = tuple(take_file(call, arguments.words))
    options = ("--runtime", arguments.runtime) if arguments.runtime else ()
    supervisor = call.connect_or_start(*options)
    wanted = UpRequest(
        declaration=declaration(call, watch=arguments.watch),
        pull=arguments.pull,
        services=services,
        force_recreate=arguments.force_recreate,
        wait="healthy" if arguments.wait else "running",
    )
    begun = time.time()
    detached = arguments.detach or arguments.wait
    following = _Following(call, supervisor, healthy=arguments.wait, quiet=arguments.quiet)
    try:
        ended = following.through(supervisor.up(wanted))
    except KeyboardInterrupt:
        if detached or following.accepted is None:
            raise
        return interrupts.stop_then_kill(supervisor, following.accepted.stack)

    if supervisor.differs:
        notes.warning(f"the supervisor is of version {supervisor.version}: restart it")
    if not ended.ok and (detached or not _runs(supervisor, following.stack)):
        raise Failed("\n".join(ended.problems) or "the stack is not as declared")
    for problem in ended.problems:
        notes.warning(problem)
    if detached:
        return Exit.OK

    from stacker.cli.attached import Attached

    return Attached(call, supervisor, following.stack, services, since=begun).run()


class _Following:
    """An ``up`` that is under way, over restarts of the supervisor."""

    def __init__(self, call: Call, supervisor: Supervisor, *, healthy: bool, quiet: bool) -> None:
        self._call = call
        self._supervisor = supervisor
        self._healthy = healthy
        self._quiet = quiet
        self._seen = 0
        self.accepted: UpReply | None = None

    @property
    def stack(self) -> str:
        assert self.accepted is not None, "an up that ended well was accepted"
        return self.accepted.stack

    def through(self, operation: Operation) -> WaitReply:
        """Show progress until it is true, or cannot become so."""
        while True:
            began = time.monotonic()
            try:
                return self._show(operation)
            except Unavailable:
                if self.accepted is None or time.monotonic() - began < RETRY_AFTER_S:
                    raise
                notes.warning("the supervisor went away; going on with the next one")
                operation = self._again(self.accepted)

    def _show(self, operation: Operation) -> WaitReply:
        progress = Progress()
        try:
            for event in operation:
                self._accept(operation)
                self._seen = event.seq
                if not self._quiet:
                    progress.feed(event)
        finally:
            progress.close()
        self._accept(operation)
        return decode(WaitReply, operation.result(), lenient=True)

    def _accept(self, operation: Operation) -> None:
        if self.accepted is None and operation.accepted is not None:
            self.accepted = operation.accepted
            self._seen = self.accepted.since
            for warning in self.accepted.warnings:
                notes.warning(warning)

    def _again(self, accepted: UpReply) -> Operation:
        self._call.connect_or_start()
        return self._supervisor.wait(
            accepted.stack, accepted.generation, healthy=self._healthy, since=self._seen
        )


def _runs(supervisor: Supervisor, stack: str) -> bool:
    return any(row.status == "running" for row in supervisor.containers(stack).containers)
