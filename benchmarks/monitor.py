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
        self._answers: dict[int, Message] = {}
        self._number = 0
        self._call(Hello(VERSION, True))
        self.pid = int((directory / "monitor.lock").read_text())

    def start(self, bundle: Path, identity: str) -> int:
        """create and start, as the supervisor asks for it; gives the container's pid."""
        answer = self._answer_to(self._ask(self._spawn(bundle, identity)))
        assert isinstance(answer, Started), answer
        return answer.pid

    def start_at_once(self, bundles: dict[str, Path]) -> None:
        """All are asked for before the first answer is awaited."""
        numbers = [self._ask(self._spawn(path, identity)) for identity, path in bundles.items()]
        for number in numbers:
            answer = self._answer_to(number)
            assert isinstance(answer, Started), answer

    def delete_at_once(self, identities: list[str]) -> None:
        numbers = [self._ask(self._deletion(identity)) for identity in identities]
        for number in numbers:
            answer = self._answer_to(number)
            assert isinstance(answer, Result), answer
            assert answer.code == 0, answer
        for identity in identities:
            self.forget(identity)

    def wait(self, identity: str) -> None:
        while not any(exited.key == identity for exited in self._ended):
            self._receive()

    def delete(self, identity: str) -> None:
        answer = self._answer_to(self._ask(self._deletion(identity)))
        assert isinstance(answer, Result), answer
        assert answer.code == 0, answer

    def forget(self, identity: str) -> None:
        self.wait(identity)
        self._call(Forget(identity))
        self._ended = [exited for exited in self._ended if exited.key != identity]

    def cpu_s(self) -> float:
        """User and system time of the monitor and all children it has reaped."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / TICKS

    def pss_kb(self) -> int:
        lines = Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))

    def end(self) -> None:
        self._call(Shutdown())
        self._socket.close()
        os.waitpid(self.pid, 0)  # a child of ours, the subreaper

    def _command(self) -> tuple[str, ...]:
        return (BUILTIN, "--root", str(self.directory / "state"))

    def _spawn(self, bundle: Path, identity: str) -> Spawn:
        pid_file = self.directory / f"{identity}.pid"
        where = ("--bundle", str(bundle), "--pid-file", str(pid_file))
        argv = [*self._command(), "run", "--detach", *where, identity]
        logs = self.directory / identity
        logs.mkdir(exist_ok=True)
        stdio = Stdio("log", str(logs), str(logs), 1 << 20, 2, False)
        return Spawn(identity, argv, ENVIRONMENT, str(pid_file), stdio, True)

    def _deletion(self, identity: str) -> Call:
        return Call([*self._command(), "delete", "--force", identity], ENVIRONMENT)

    def _call(self, message: Request) -> Message:
        return self._answer_to(self._ask(message))

    def _ask(self, message: Request) -> int:
        self._number += 1
        self._socket.send(encode(self._number, message))
        return self._number

    def _answer_to(self, number: int) -> Message:
        while number not in self._answers:
            self._receive()
        return self._answers.pop(number)

    def _receive(self) -> None:
        packet, fds, _, _ = socket.recv_fds(self._socket, LARGEST, 16)
        for fd in fds:
            os.close(fd)
        number, message = decode(packet)
        if isinstance(message, Exited):
            self._ended.append(message)
        else:
            self._answers[number] = message
