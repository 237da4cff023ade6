"""Which SELinux levels processes of this host have: other engines' containers among them."""

from __future__ import annotations

from pathlib import Path

PROC = Path("/proc")


def levels_in_use() -> frozenset[str]:
    """Return levels as they stand in labels: `s0:c1,c2` of `user:role:type:s0:c1,c2`."""
    found: set[str] = set()
    for path in PROC.glob("[0-9]*/attr/current"):
        try:
            label = path.read_bytes().rstrip(b"\0\n").decode("ascii", "replace")
        except OSError:
            continue  # it has ended, or tells nobody
        parts = label.split(":", 3)
        if len(parts) == 4:
            found.add(parts[3])
    return frozenset(found)
