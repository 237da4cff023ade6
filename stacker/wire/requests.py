"""What a client asks: the bodies of requests.

Paths of stack files travel, not their contents: the supervisor must be able to read them again.
"""

from __future__ import annotations

from stacker.wire.message import Message


class DeclarationBody(Message):
    files: tuple[str, ...]
    """Absolute, in the order in which they are merged; empty: those that ``working_dir`` has."""
    working_dir: str
    environment: dict[str, str]
    """The caller's, for interpolation; the supervisor keeps only what the files refer to."""
    project: str | None = None
    profiles: tuple[str, ...] = ()
    watch: bool = False
    locked: bool = False
    """With the images of the lock file beside the first file."""


class UpRequest(Message):
    declaration: DeclarationBody
    pull: str | None = None
    """``always``, ``missing``, ``never``, ``daily``, ``weekly`` or ``every_<duration>``; None: what
    each service says."""
    services: tuple[str, ...] = ()
    """Empty: all."""
    force_recreate: bool = False
    wait: str = "running"
    """The answer ends when it is ``accepted``, ``running``, or ``healthy`` where it has a check."""


class PlanRequest(Message):
    declaration: DeclarationBody


class FindRequest(Message):
    project: str | None = None
    files: tuple[str, ...] = ()
    working_dir: str = ""


class DownRequest(Message):
    volumes: bool = False
    timeout_s: float | None = None
    """Grace before a process is killed; None: what each service says."""


class ServicesRequest(Message):
    """The body of stop, start and restart."""

    services: tuple[str, ...] = ()
    timeout_s: float | None = None


class KillRequest(Message):
    services: tuple[str, ...] = ()
    signal: str = "KILL"


class PullRequest(Message):
    declaration: DeclarationBody
    services: tuple[str, ...] = ()
    policy: str = "always"


class LoadRequest(Message):
    path: str


class ImportRequest(Message):
    path: str
    reference: str
    changes: tuple[str, ...] = ()
    """Instructions as in a Dockerfile: ``CMD ["sh"]``, ``ENV A=b``."""


class LoginRequest(Message):
    registry: str
    """``host[:port]``, or ``docker.io``."""
    user: str
    password: str
    stack: str | None = None
    """Keep it for this stack alone; None: for all."""


class LogoutRequest(Message):
    registry: str
    stack: str | None = None


class ExecBody(Message):
    service: str
    args: tuple[str, ...]
    index: int = 1
    env: tuple[str, ...] = ()
    cwd: str | None = None
    user: str | None = None
    tty: bool = False
    stdin: bool = False
    rows: int = 24
    columns: int = 80
    privileged: bool = False
