"""The few errors that stacker raises; each class says what the caller does next.

Rule 1: a message is lower case, has no final period, and names the object and the step:
    ``pull docker.io/library/web:1: manifest: digest does not match``.
Rule 2: foreign exceptions are translated where the foreign library is called, with ``from``.
Rule 3: a traceback never reaches a user. What is not a StackerError is a bug.
"""

from __future__ import annotations


class StackerError(Exception):
    """Base of all; never raised itself."""

    kind = "internal"
    """The word that travels on the socket and in ``--format json``."""

    def __init__(self, message: str, *, where: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        """Where in the user's input: ``stack.yaml:12: services.web.ports[0]``, or None."""

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class Invalid(StackerError):
    """The input is wrong: the user changes it."""

    kind = "invalid"


class NotFound(StackerError):
    """The named thing does not exist."""

    kind = "not-found"


class Conflict(StackerError):
    """Something else holds what is asked for: a port, a subnet, a name, a lock."""

    kind = "conflict"


class Unsupported(StackerError):
    """This host, kernel or version cannot do it."""

    kind = "unsupported"


class Denied(StackerError):
    """The caller, or the credentials, may not do it."""

    kind = "denied"


class Unavailable(StackerError):
    """Something outside does not answer, or not now: trying again may help."""

    kind = "unavailable"

    def __init__(
        self, message: str, *, where: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, where=where)
        self.retry_after_s = retry_after_s


class Corrupt(StackerError):
    """Bytes are not what their digest, size or format promises: nothing of them was kept."""

    kind = "corrupt"


class NoSpace(StackerError):
    """The disk, or a quota, is full: what was half-made has been removed."""

    kind = "no-space"


class Failed(StackerError):
    """A step was carried out and did not succeed: the runtime refused, a process died."""

    kind = "failed"

    def __init__(
        self, message: str, *, where: str | None = None, exit_code: int | None = None
    ) -> None:
        super().__init__(message, where=where)
        self.exit_code = exit_code
        """As a shell would end: 127 when the command is not there, 126 when it cannot be run."""


BY_KIND: dict[str, type[StackerError]] = {
    cls.kind: cls
    for cls in (
        Invalid,
        NotFound,
        Conflict,
        Unsupported,
        Denied,
        Unavailable,
        Corrupt,
        NoSpace,
        Failed,
    )
}
"""For the far side of the socket: the kind of a problem document back to its class."""
