"""A monitor of the benchmark's own, and the smallest client that can use it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from bench import REPOSITORY

from runtime.linux import sealed
from runtime.wire.messages import (
    BUILTIN,
    LARGEST,
    VERSION,
    Call,
    Exited,
    Forget,
    Hello,
    Message,
    Request,
    Result,
    Shutdown,
    Spawn,
    Started,
    Stdio,
    decode,
    encode,
)

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
TICKS = os.sysconf("SC_CLK_TCK")


class Monitor:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()
        program = sealed.start_program("runtime.monitor.main")
        subprocess.run(
            [os.path.realpath(sys.executable), "-I", "-S", *program, str(directory), "bench"],
            cwd=REPOSITORY,
            check=True,
        )
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.connect(str(directory / "monitor.sock"))
        self._ended: list[Exited] = []
        self._number = 0
        self._request(Hello(VERSION, True))
        self.pid = int((directory / "monitor.lock").read_text())

    def start(self, bundle: Path, identity: str) -> int:
        """create and start, as the supervisor asks for it; gives the container's pid."""
        pid_file = self.directory / f"{identity}.pid"
        where = ("--bundle", str(bundle), "--pid-file", str(pid_file))
        argv = [*self._command(), "run", "--detach", *where, identity]
        logs = self.directory / "logs"
        logs.mkdir(exist_ok=True)
        stdio = Stdio("log", str(logs), str(logs / identity), 1 << 20, 2, False)
        answer = self._request(Spawn(identity, argv, ENVIRONMENT, str(pid_file), stdio, True))
        assert isinstance(answer, Started), answer
        return answer.pid

    def wait(self, identity: str) -> None:
        while not any(exited.key == identity for exited in self._ended):
            self._receive()

    def delete(self, identity: str) -> None:
        argv = [*self._command(), "delete", "--force", identity]
        answer = self._request(Call(argv, ENVIRONMENT))
        assert isinstance(answer, Result), answer
        assert answer.code == 0, answer

    def forget(self, identity: str) -> None:
        self.wait(identity)
        self._request(Forget(identity))
        self._ended = [exited for exited in self._ended if exited.key != identity]

    def cpu_s(self) -> float:
        """User and system time of the monitor and all children it has reaped."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / TICKS

    def pss_kb(self) -> int:
        lines = Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))

    def end(self) -> None:
        self._request(Shutdown())
        self._socket.close()
        os.waitpid(self.pid, 0)  # a child of ours, the subreaper

    def _command(self) -> tuple[str, ...]:
        return (BUILTIN, "--root", str(self.directory / "state"))

    def _request(self, message: Request) -> Message:
        self._number += 1
        self._socket.send(encode(self._number, message))
        while True:
            number, answer = self._receive()
            if number == self._number:
                return answer

    def _receive(self) -> tuple[int, Message]:
        packet, fds, _, _ = socket.recv_fds(self._socket, LARGEST, 16)
        for fd in fds:
            os.close(fd)
        number, message = decode(packet)
        if isinstance(message, Exited):
            self._ended.append(message)
        return number, message
