"""``python -P -m stacker.daemon``: how systemd, ``up`` and ``stacker daemon`` start it."""

import sys

from stacker.daemon.main import main
from stacker.daemon.wiring import running_engine

sys.exit(main(sys.argv[1:], build=running_engine))
