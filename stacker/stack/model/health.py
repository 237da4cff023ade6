"""The health check of a service."""

from __future__ import annotations

from stacker.stack.model.values import Model


class Healthcheck(Model):
    """None in a field: what the image says, and Docker's default where it says nothing
    (interval 30 s, timeout 30 s, retries 3, start_period 0 s, start_interval 5 s)."""

    test: tuple[str, ...] | None = None
    """Begins with `CMD` or `CMD-SHELL`; a plain string of the file is `CMD-SHELL`."""
    interval: float | None = None
    timeout: float | None = None
    retries: int | None = None
    start_period: float | None = None
    start_interval: float | None = None
    disable: bool = False
    """Set by `disable: true` and by `test: NONE`: no probe, not even the image's."""
