"""How far a pull is, as events: for bars, `--json`, the dashboard, and whoever watches."""

from __future__ import annotations

from stacker.engine.bus import Bus
from stacker.oci.progress import PullProgress


def tell(bus: Bus, progress: PullProgress, *, stack: str = "") -> None:
    bus.emit(
        "image.progress",
        stack=stack,
        reference=progress.reference,
        layer=progress.layer,
        state=progress.state,
        current=progress.current,
        total=progress.total,
        note=progress.note,
    )
