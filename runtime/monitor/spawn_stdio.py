"""Standard input and output of one process that is being started."""

from __future__ import annotations

import os
from collections.abc import Sequence

from runtime.monitor.console import Console
from runtime.monitor.loop import Loop
from runtime.monitor.pipes import Outputs
from runtime.wire.messages import CONSOLE, Stdio


class SpawnStdio:
    """From the request until the runtime has ended, one way or the other."""

    def __init__(self, stdio: Stdio, fds: Sequence[int], loop: Loop, devnull: int) -> None:
        self.ends = (devnull, devnull, devnull)
        """What the runtime gets as 0, 1 and 2."""
        self.outputs: Outputs | None = None
        """What the monitor goes on to hold."""
        self._console: Console | None = None
        self._opened: list[int] = []
        match stdio.kind:
            case "log":
                self.outputs = Outputs(stdio, loop, devnull)
                self.outputs.open(fresh=True)
                self.ends = self.outputs.child_ends(devnull)
                self._opened = [fd for fd in self.ends if fd != devnull]
            case "pty":
                self.outputs = Outputs(stdio, loop, devnull)
                self._console = Console(stdio.directory)
            case "console":
                self._console = Console(stdio.directory)
            case "fds" if len(fds) == 3:
                self.ends = (fds[0], fds[1], fds[2])
            case "null":
                pass
            case _:
                raise OSError(0, f"stdio {stdio.kind} with {len(fds)} fds")

    def fill_in(self, argv: Sequence[str]) -> list[str]:
        """Put the console's path into the arguments."""
        path = self._console.path if self._console is not None else ""
        return [path if word == CONSOLE else word for word in argv]

    def close_ends(self) -> None:
        """The child has its copies."""
        for fd in self._opened:
            os.close(fd)

    def receive_terminal(self) -> int:
        """Return the master of the new terminal; -1 when there is none."""
        if self._console is None:
            return -1
        master = self._console.receive()
        self._console.close()
        self._console = None
        if master >= 0 and self.outputs is not None:
            self.outputs.take_terminal(os.dup(master))
        return master

    def discard(self) -> None:
        """The runtime has failed, or was not even started."""
        if self._console is not None:
            self._console.close()
            self._console = None
        if self.outputs is not None:
            self.outputs.close()
