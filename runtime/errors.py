"""The runtime's errors: what the command line prints, and the exit code it prints it with.

Messages are lower case, have no final period, and name the object and the step. This module is
the lowest rung: it imports nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType


class RuntimeFault(Exception):
    """Base of all: something the caller of the runtime must be told in one line."""

    exit_code = 1


class SpecInvalid(RuntimeFault):
    """config.json, or a flag, is wrong; the message names the field."""


class NotSupported(RuntimeFault):
    """The kernel or the host lacks what the field asks for."""


class ReadOnlyHierarchy(NotSupported):
    """A cgroup hierarchy is mounted read-only: who is not root may do without, nobody else."""


class StateConflict(RuntimeFault):
    """The container is not in a state that allows the operation, or does not exist."""


class LaunchFailed(RuntimeFault):
    """The process that becomes the container said why it could not go on."""


class InitDied(LaunchFailed):
    """It ended, and has not said why."""


class CommandNotRunnable(LaunchFailed):
    """The program to run is missing (127) or cannot be executed (126), as a shell says it."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class KernelFault(RuntimeFault):
    """A system call failed; the message names the step and the errno's text."""

    def __init__(self, step: str, errno: int, strerror: str) -> None:
        super().__init__(f"{step}: {strerror.lower()}")
        self.errno = errno


class step:
    """Name what is being done: an OSError inside becomes a KernelFault that says so."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, OSError):
            raise KernelFault(self.name, error.errno or 0, error.strerror or str(error)) from error
        if isinstance(error, ValueError):
            # a NUL in a path, a name out of range: refused before the kernel saw it
            raise SpecInvalid(f"{self.name}: {error}") from error
