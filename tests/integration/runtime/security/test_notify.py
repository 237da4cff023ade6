"""SCMP_ACT_NOTIFY: an agent at listenerPath gets the state and the listener, and answers calls."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import select
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.runtime.conftest import DEADLINE_S, Bundle, Runtime

pytestmark = pytest.mark.root

# seccomp_unotify(2): struct seccomp_notif (id, pid, flags, nr, arch, ip, args), and its answer
_NOTIF = struct.Struct("=QIIiIQ6Q")
_ANSWER = struct.Struct("=QqiI")
_RECEIVE = 0xC0502100
_SEND = 0xC0182101
_CONTINUE = 1
_MKDIR = {"x86_64": (83, 258), "aarch64": (34,)}.get(os.uname().machine, (34,))
NO_MEDIUM = "No medium found"


class Agent:
    """Answers every mkdir with ENOMEDIUM, lets every other call go on."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.documents: list[dict[str, Any]] = []
        self.answered = 0
        self._stop = os.eventfd(0)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen(8)
        self._listeners: list[int] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        os.eventfd_write(self._stop, 1)
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()
        self._listener.close()
        for fd in (*self._listeners, self._stop):
            os.close(fd)

    def _run(self) -> None:
        poll = select.poll()
        for fd in (self._stop, self._listener.fileno()):
            poll.register(fd, select.POLLIN)
        while True:
            for fd, events in poll.poll():
                if fd == self._stop:
                    return
                if fd == self._listener.fileno():
                    poll.register(self._accept(), select.POLLIN)
                elif events & select.POLLIN:
                    self._answer(fd)
                else:
                    poll.unregister(fd)

    def _accept(self) -> int:
        connection, _ = self._listener.accept()
        with connection:
            connection.settimeout(DEADLINE_S)
            data, [fd], _, _ = socket.recv_fds(connection, 1 << 20, 1)
            # crun and runc leave the connection open: its end is not waited for
            while (document := _whole(data)) is None:
                data += connection.recv(1 << 20)
        self.documents.append(document)
        self._listeners.append(fd)
        return fd

    def _answer(self, fd: int) -> None:
        request = bytearray(_NOTIF.size)
        try:
            fcntl.ioctl(fd, _RECEIVE, request, True)
            identity, _, _, number, *_ = _NOTIF.unpack(request)
            denied = number in _MKDIR
            answer = _ANSWER.pack(
                identity, 0, -errno.ENOMEDIUM if denied else 0, 0 if denied else _CONTINUE
            )
            fcntl.ioctl(fd, _SEND, bytearray(answer), True)
        except FileNotFoundError:
            # who called is gone
            return
        self.answered += 1


def _whole(data: bytes) -> dict[str, Any] | None:
    try:
        return json.loads(data)
    except ValueError:
        return None


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    one = Agent(tmp_path / "agent.sock")
    yield one
    one.close()


def notify(bundle: Bundle, path: str, *names: str, **more: Any) -> None:
    bundle.config["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "listenerPath": path,
        "listenerMetadata": "of the test",
        "syscalls": [{"names": ["mkdir", "mkdirat", *names], "action": "SCMP_ACT_NOTIFY"}],
        **more,
    }


@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_the_agent_answers(
    any_runtime: Runtime, bundle: Bundle, identity: str, agent: Agent, no_new_privileges: bool
) -> None:
    notify(bundle, agent.path)
    path = bundle.shell("mkdir /new 2>&1; ls -d /new", noNewPrivileges=no_new_privileges)
    done = any_runtime.call("run", "--bundle", path, identity)
    assert NO_MEDIUM in done.stdout, done.stderr
    assert done.returncode == 1
    [document] = agent.documents
    assert document["fds"] == ["seccompFd"]
    assert document["metadata"] == "of the test"
    assert document["state"]["id"] == identity
    assert document["state"]["bundle"] == str(bundle.path)
    assert document["pid"] > 1


def test_the_state_is_the_containers(
    runtime: Runtime, bundle: Bundle, identity: str, agent: Agent
) -> None:
    bundle.config["annotations"] = {"org.example.key": "kept"}
    notify(bundle, agent.path)
    runtime.ok("create", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    pid = runtime.state(identity)["pid"]
    [document] = agent.documents
    assert document["pid"] == document["state"]["pid"] == pid
    assert document["state"]["status"] == "creating"
    assert document["state"]["annotations"] == {"org.example.key": "kept"}
    runtime.ok("start", identity)
    done = runtime.call("exec", identity, "sh", "-c", "mkdir /new 2>&1")
    assert NO_MEDIUM in done.stdout
    assert agent.documents[1]["state"]["status"] == "running"
    assert agent.documents[1]["pid"] != pid


@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_the_runtimes_own_calls_may_be_asked_about(
    runtime: Runtime, bundle: Bundle, identity: str, agent: Agent, no_new_privileges: bool
) -> None:
    """What runc refuses (write) or waits on for ever: the calls that hand the listener over."""
    own = ("sendmsg", "sendto", "recvfrom", "write", "read", "close", "prctl", "execve")
    flags = ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG"]
    notify(bundle, agent.path, *own, flags=flags)
    path = bundle.shell("mkdir /new 2>&1", noNewPrivileges=no_new_privileges)
    done = runtime.call("run", "--bundle", path, identity)
    assert NO_MEDIUM in done.stdout, done.stderr
    assert agent.answered > len(own)


def test_an_agent_that_is_not_there_is_an_error(
    any_runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path
) -> None:
    notify(bundle, str(tmp_path / "nobody.sock"))
    done = any_runtime.call("run", "--bundle", bundle.write("/bin/true"), identity)
    assert done.returncode != 0
    if any_runtime.name == "builtin":
        assert "linux.seccomp.listenerPath: connect to" in done.stderr


def test_flags_that_need_a_listener(
    runtime: Runtime, bundle: Bundle, identity: str, agent: Agent
) -> None:
    flags = ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"]
    notify(bundle, agent.path, flags=flags)
    done = runtime.call("run", "--bundle", bundle.shell("mkdir /new 2>&1"), identity)
    assert NO_MEDIUM in done.stdout, done.stderr
    bundle.config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "flags": flags}
    assert runtime.ok("run", "--bundle", bundle.shell("echo ran"), identity) == "ran\n"
