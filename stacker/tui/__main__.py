"""``python -P -m stacker.tui SOCKET [STACK]``: what ``stacker ui`` becomes."""

import sys

from stacker.client.api import Supervisor
from stacker.tui.app import run

run(Supervisor(sys.argv[1]), stack=sys.argv[2] if len(sys.argv) > 2 else None)
