"""Loading a stack in-process, for the verbs that need no supervisor; slow to import, so apart."""

from __future__ import annotations

import os
from pathlib import Path

from stacker.stack.load.pipeline import LoadedStack, load_stack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stacker.cli.options import Call


def load(call: Call) -> LoadedStack:
    """Load what the command line means; Invalid names file and line of what is wrong."""
    return load_stack(
        [Path(file) for file in call.absolute_files()],
        working_dir=Path(call.working_dir),
        environment=os.environ,
        project_name=call.project,
        profiles=call.profiles,
    )
