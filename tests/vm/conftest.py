"""The tests below belong into the virtual machine, where `make vm-test` runs them."""

from __future__ import annotations

import os

collect_ignore = [] if os.environ.get("STACKER_VM") else ["guest", "service", "reboot"]
