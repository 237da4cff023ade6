"""A third witness of what ``ip_forward`` was, in the state root.

The state file and the bridges lie where a person who cleans up takes both away. The note is bound
to the boot: after a reboot the switch is what the host's own configuration says. Blocking.
"""

from __future__ import annotations

import json
from pathlib import Path

from stacker.base.atomic import write_atomic

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class ForwardingNote:
    def __init__(self, root: Path) -> None:
        self._path = root / "ip_forward.json"

    def read(self) -> bool | None:
        """What was noted in this boot; None where nothing was, or it cannot be read."""
        try:
            noted = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return None
        if not isinstance(noted, dict) or noted.get("boot_id") != _boot_id():  # pyright: ignore[reportUnknownMemberType] JSON
            return None
        before: object = noted.get("before")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return before if isinstance(before, bool) else None

    def write(self, before: bool) -> None:
        noted = {"boot_id": _boot_id(), "before": before}
        write_atomic(self._path, json.dumps(noted).encode(), durable=False)

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)


def _boot_id() -> str:
    return _BOOT_ID.read_text().strip()
