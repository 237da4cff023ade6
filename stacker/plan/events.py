"""Something that happened, as it is told to users and kept in the history."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of ``stacker events``.

    ``kind`` is ``object.verb``. What is sent:

    ===================  ==========================================================
    ``stack.declared``   a stack file was accepted; attributes: generation
    ``stack.converged``  nothing is left to do now; attributes: generation, pending
    ``stack.failed``     a pass had failed steps; attributes: generation, errors
    ``stack.removed``    the stack is down
    ``step.started``     a plan's operation begins; attributes: step, text, cause
    ``step.done``        … ended well; attributes: step, text, seconds
    ``step.failed``      … did not; attributes: step, text, error, error_kind
    ``image.progress``   bytes of one layer; attributes: layer, state, current, total, note
    ``image.pulled``     an image is whole; attributes: id
    ``container.start``  a process runs; attributes: pid
    ``container.exit``   a process ended; attributes: code, signal, oom
    ``container.health`` its health changed; attributes: health, detail
    ``container.backoff`` it waits before it is started again; attributes: seconds, attempt
    ``network.repaired`` something behind our back was put right
    ``warning``          anything else that a user should know
    ===================  ==========================================================
    """

    seq: int
    """Grows by one with every event of this supervisor's root, over its restarts."""
    time: float
    """Seconds since the epoch."""
    kind: str
    stack: str = ""
    service: str = ""
    container: str = ""
    """Its name; the id is in the attributes where it matters."""
    message: str = ""
    """One line for people."""
    attributes: dict[str, str | int | float | bool | None] = field(
        default_factory=dict[str, "str | int | float | bool | None"]
    )
