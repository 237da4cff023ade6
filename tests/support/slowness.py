"""How much longer than usual things may take here: an emulated processor is ten times slower.

Deadlines are multiplied by it; none says how long something has to last.
"""

from __future__ import annotations

import os

SLOWNESS = float(os.environ.get("STACKER_TEST_SLOWNESS", "1"))
