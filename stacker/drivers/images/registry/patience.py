"""How long the registry client waits, how often it tries again, and when it gives up.

Values, and the arithmetic on them; `transport` and `retry` do the waiting.
"""

from __future__ import annotations

from dataclasses import dataclass

from stacker.base.errors import Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    connect_s: float = 15
    answer_s: float = 30
    """Between any two bytes of an answer."""
    commit_s: float = 300
    """Until the answer to the end of an upload: registries on object stores copy it first."""
    floor_window_s: float = 30
    floor_bytes_per_s: int = 1024
    """A server that drips slower than this over a window has failed."""
    tries: int = 5
    """For one document or blob, the first one included."""
    backoff_s: float = 0.5
    backoff_cap_s: float = 15
    retry_after_cap_s: float = 120
    """A registry that wants us to wait longer is reported, not waited for."""

    @classmethod
    def within(cls, timeout_s: float) -> Patience:
        """The same proportions, with another time between two bytes of an answer."""
        usual = cls()
        scale = timeout_s / usual.answer_s
        return cls(
            connect_s=usual.connect_s * scale,
            answer_s=timeout_s,
            commit_s=usual.commit_s * scale,
            floor_window_s=usual.floor_window_s * scale,
            backoff_s=usual.backoff_s * scale,
            backoff_cap_s=usual.backoff_cap_s * scale,
        )

    def delay_s(self, attempt: int, *, retry_after_s: float | None, jitter: float) -> float | None:
        """Seconds before try `attempt` + 1, or None to give up; `jitter` is in [0, 1)."""
        if attempt >= self.tries:
            return None
        if retry_after_s is not None:
            return retry_after_s if retry_after_s <= self.retry_after_cap_s else None

        full = min(self.backoff_cap_s, self.backoff_s * 2 ** (attempt - 1))
        return full * (0.5 + jitter / 2)


class Floor:
    """Watches one download's rate: only the time spent waiting for the server counts."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._waited_s = 0.0
        self._received = 0

    def add(self, received: int, *, waited_s: float) -> None:
        """Count a piece; raise Unavailable when a whole window was too slow."""
        self._waited_s += waited_s
        self._received += received
        if self._waited_s < self._patience.floor_window_s:
            return

        rate = self._received / self._waited_s
        self._waited_s, self._received = 0.0, 0
        if rate < self._patience.floor_bytes_per_s:
            raise Unavailable(f"the server sends only {rate:.0f} bytes a second")
