"""The runtime's errors: what the command line prints, and the exit code it prints it with.

Messages are lower case, have no final period, and name the object and the step. This module is
the lowest rung: it imports nothing.
"""


class RuntimeFault(Exception):
    """Base of all: something the caller of the runtime must be told in one line."""

    exit_code = 1


class SpecInvalid(RuntimeFault):
    """config.json, or a flag, is wrong; the message names the field."""


class NotSupported(RuntimeFault):
    """The kernel or the host lacks what the field asks for."""


class StateConflict(RuntimeFault):
    """The container is not in a state that allows the operation, or does not exist."""


class KernelFault(RuntimeFault):
    """A system call failed; the message names the step and the errno's text."""

    def __init__(self, step: str, errno: int, strerror: str) -> None:
        super().__init__(f"{step}: {strerror.lower()}")
        self.errno = errno
