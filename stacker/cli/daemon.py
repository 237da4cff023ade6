"""``stacker daemon``: become the supervisor; what its options are, it says itself."""

from __future__ import annotations

import os
import sys

from stacker.client.session import daemon_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stacker.cli.options import Call

VERBATIM = True


def run(call: Call) -> int:
    place = ("--root", call.place.root, "--run", call.place.run)
    command = daemon_command((*place, *call.arguments.words))
    sys.stdout.flush()
    os.execv(command[0], command)
