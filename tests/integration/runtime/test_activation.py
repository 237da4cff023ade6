"""What a service manager gives and is told: LISTEN_FDS and NOTIFY_SOCKET; a pidfd if asked for."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.runtime.conftest import DEADLINE_S, Bundle, Runtime, wait_until

pytestmark = pytest.mark.root


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.settimeout(DEADLINE_S)

    def hear(self) -> str:
        """One message; the pipe of a barrier is let go, which is the answer to it."""
        message, fds, _, _ = socket.recv_fds(self._socket, 4096, 4)
        for fd in fds:
            os.close(fd)
        return message.decode()

    def nothing(self) -> bool:
        return not select.select([self._socket], [], [], 0)[0]

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify.sock")
    yield made
    made.close()


# busybox has no program that sends a datagram: the test itself does, on what the container sees
TELLS = "echo $NOTIFY_SOCKET > /path; touch /up; while [ ! -e /end ]; do sleep 0.01; done"


def tell(runtime: Runtime, identity: str, message: bytes) -> None:
    """As the program inside would: through its own mount of the socket."""
    pid = runtime.state(identity)["pid"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(message, f"/proc/{pid}/root/run/notify/notify.sock")


def environment(manager: Manager) -> dict[str, str]:
    return {**os.environ, "NOTIFY_SOCKET": manager.path}


def test_a_detached_run_returns_when_the_program_is_ready(
    any_runtime: Runtime, bundle: Bundle, identity: str, manager: Manager
) -> None:
    if any_runtime.name == "crun":
        pytest.skip("crun has another file in the container")
    path = bundle.shell(TELLS)
    started = subprocess.Popen(
        any_runtime.argv("run", "--detach", "--bundle", path, identity), env=environment(manager)
    )
    wait_until((bundle.rootfs / "up").exists)
    assert (bundle.rootfs / "path").read_text() == "/run/notify/notify.sock\n"
    assert started.poll() is None
    tell(any_runtime, identity, b"READY=1")
    assert manager.hear().strip() == "READY=1"
    pid = any_runtime.state(identity)["pid"]
    assert manager.hear().strip() == f"MAINPID={pid}"
    if any_runtime.name == "builtin":
        assert manager.hear() == "BARRIER=1"
    assert started.wait(DEADLINE_S) == 0


def test_start_waits_for_a_created_one(
    runtime: Runtime, bundle: Bundle, identity: str, manager: Manager
) -> None:
    path = bundle.shell(TELLS)
    runtime.ok("create", "--bundle", path, identity, env=environment(manager))
    started = subprocess.Popen(runtime.argv("start", identity), env=environment(manager))
    wait_until((bundle.rootfs / "up").exists)
    # what is not for the manager is not told, however often it is said
    for message in (b"STATUS=x", b"MAINPID=1", b"FDSTORE=1", b"X" * 5000, b"READY=0"):
        tell(runtime, identity, message)
    assert manager.nothing()
    assert started.poll() is None
    tell(runtime, identity, b"STATUS=up\nREADY=1\nMAINPID=1")
    assert manager.hear() == "READY=1\n"
    assert manager.hear() == f"MAINPID={runtime.state(identity)['pid']}\n"
    assert manager.hear() == "BARRIER=1"
    assert started.wait(DEADLINE_S) == 0


def test_a_program_that_ends_is_not_waited_for(
    runtime: Runtime, bundle: Bundle, identity: str, manager: Manager
) -> None:
    path = bundle.write("/bin/true")
    runtime.ok("run", "--detach", "--bundle", path, identity, env=environment(manager))
    assert manager.nothing()


def test_in_the_foreground_we_stay_the_main_process(
    runtime: Runtime, bundle: Bundle, identity: str, manager: Manager
) -> None:
    path = bundle.shell(f"{TELLS}; exit 8")
    started = subprocess.Popen(
        runtime.argv("run", "--bundle", path, identity), env=environment(manager)
    )
    wait_until((bundle.rootfs / "up").exists)
    tell(runtime, identity, b"READY=1\n")
    assert manager.hear() == "READY=1\n"
    (bundle.rootfs / "end").touch()
    assert started.wait(DEADLINE_S) == 8
    assert manager.nothing()


def test_the_program_cannot_change_the_directory(
    runtime: Runtime, bundle: Bundle, identity: str, manager: Manager
) -> None:
    script = (
        "touch /run/notify/x 2>/dev/null || echo refused; ls /run/notify; [ -S $NOTIFY_SOCKET ]"
    )
    done = runtime.call(
        "run", "--bundle", bundle.shell(script), identity, env=environment(manager)
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "refused\nnotify.sock\n")


def test_in_a_user_namespace_of_its_own(
    runtime: Runtime, bundle: Bundle, identity: str, manager: Manager
) -> None:
    bundle.config["linux"]["namespaces"].append({"type": "user"})
    for kind in ("uidMappings", "gidMappings"):
        bundle.config["linux"][kind] = [{"containerID": 0, "hostID": 0, "size": 65536}]
    path = bundle.shell("[ -S $NOTIFY_SOCKET ] && echo there")
    done = runtime.call("run", "--bundle", path, identity, env=environment(manager))
    assert done.stdout == "there\n"


LISTENS = "echo $LISTEN_FDS $LISTEN_PID $LISTEN_FDNAMES; cat <&3; cat <&4; cat <&5"


def run_with(
    runtime: Runtime, *arguments: str, pid: str = "$$"
) -> subprocess.CompletedProcess[str]:
    """With three files open from 3 on, two of which are for activation."""
    files = [os.memfd_create(name) for name in ("one", "two", "three")]
    for fd, text in zip(files, (b"one\n", b"two\n", b"three\n"), strict=True):
        os.write(fd, text)
    opened = " ".join(f"{3 + index}</proc/self/fd/{fd}" for index, fd in enumerate(files))
    # the shell becomes the runtime: its number stays
    script = f'export LISTEN_FDS=2 LISTEN_PID={pid} LISTEN_FDNAMES=a:b; exec {opened} "$@"'
    try:
        return subprocess.run(
            ["sh", "-c", script, "sh", *runtime.argv(*arguments)],
            pass_fds=files, capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
    finally:
        for fd in files:
            os.close(fd)


def test_sockets_come_first_then_what_is_preserved(
    any_runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    if any_runtime.name == "crun":
        pytest.skip("our crun is a child of a shell, so the number is not its own")
    path = bundle.shell(LISTENS)
    done = run_with(any_runtime, "run", "--preserve-fds", "1", "--bundle", path, identity)
    first, *rest = done.stdout.splitlines()
    # runc 1.1 leaves the names out
    assert first == ("2 1 a:b" if any_runtime.name == "builtin" else "2 1")
    assert rest == ["one", "two", "three"]


def test_sockets_for_another_process_are_not_ours(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    path = bundle.shell("echo [$LISTEN_FDS]; ls /proc/self/fd")
    done = run_with(runtime, "run", "--bundle", path, identity, pid="1")
    assert done.stdout.split() == ["[]", "0", "1", "2", "3"]


def test_without_a_pid_namespace_the_number_is_the_hosts(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    bundle.config["linux"]["namespaces"] = [
        one for one in bundle.config["linux"]["namespaces"] if one["type"] != "pid"
    ]
    done = run_with(runtime, "run", "--bundle", bundle.shell("echo $LISTEN_PID $$"), identity)
    told, own = done.stdout.split()
    assert told == own != "1"


@pytest.mark.parametrize("verb", ["create", "exec"])
def test_a_pidfd_for_whom_asks(
    runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path, verb: str
) -> None:
    path = bundle.write("/bin/sleep", "100")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "pidfd.sock"))
        listener.listen(1)
        listener.settimeout(DEADLINE_S)
        flags = ("--pidfd-socket", str(tmp_path / "pidfd.sock"))
        if verb == "create":
            runtime.ok("create", *flags, "--bundle", path, identity)
            pid = runtime.state(identity)["pid"]
        else:
            runtime.ok("run", "--detach", "--bundle", path, identity)
            pid_file = tmp_path / "pid"
            runtime.ok(
                "exec", "--detach", *flags, "--pid-file", str(pid_file), identity, "sleep", "99"
            )
            pid = int(pid_file.read_text())
        connection, _ = listener.accept()
        with connection:
            _, (pidfd,), _, _ = socket.recv_fds(connection, 64, 1)
    try:
        line = next(
            line
            for line in Path(f"/proc/self/fdinfo/{pidfd}").read_text().splitlines()
            if line.startswith("Pid:")
        )
        assert line.split()[1] == str(pid)
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os.waitpid(pid, 0)
    finally:
        os.close(pidfd)
