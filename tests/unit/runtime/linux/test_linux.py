"""The door to the kernel: what needs no privilege."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

import pytest

from runtime.linux import fds, process, sealed, sockets
from runtime.linux.clone import fork_into
from runtime.linux.libc import path_bytes
from runtime.linux.namespaces import CLONE_NEWNET, namespace_type


def test_a_path_with_a_nul_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        path_bytes("a\0b")


def test_resolution_stays_in_the_root(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("inside")
    (tmp_path / "out").symlink_to("/etc/passwd")
    (tmp_path / "up").symlink_to("../../../../etc/passwd")
    (tmp_path / "magic").symlink_to("/proc/self/root")
    root = os.open(tmp_path, os.O_PATH)
    try:
        for name in ("out", "up", "/etc/passwd", "../../etc/passwd"):
            fd = fds.open_in_root(root, name, os.O_RDONLY)
            assert os.read(fd, 99) == b"inside"
            os.close(fd)
        with pytest.raises(FileNotFoundError):
            fds.open_in_root(root, "magic")
    finally:
        os.close(root)


def test_close_all_but() -> None:
    keep, lose = os.memfd_create("keep"), os.memfd_create("lose")
    pid = os.fork()
    if pid == 0:
        fds.close_all_but([keep])
        code = 0
        try:
            os.fstat(lose)
            code = 1
        except OSError:
            pass
        os.fstat(keep)
        os._exit(code)
    os.close(keep)
    os.close(lose)
    assert os.waitpid(pid, 0)[1] == 0


def test_a_sealed_file_cannot_be_written() -> None:
    fd = fds.sealed_memfd("x", b"content")
    assert os.read(fd, 99) == b"content"
    with pytest.raises(PermissionError):
        os.write(fd, b"more")
    os.close(fd)


def test_namespace_types() -> None:
    fd = os.open("/proc/self/ns/net", os.O_RDONLY)
    assert namespace_type(fd) == CLONE_NEWNET
    os.close(fd)
    plain = os.open("/dev/null", os.O_RDONLY)
    with pytest.raises(OSError, match="ioctl"):
        namespace_type(plain)
    os.close(plain)


@pytest.mark.parametrize(("how", "status"), [(3, 3 << 8), (None, int(signal.SIGKILL))])
def test_a_pidfd_tells_the_exit_status(how: int | None, status: int) -> None:
    pid = os.fork()
    if pid == 0:
        if how is None:
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(how or 0)
    pidfd = os.pidfd_open(pid)
    os.waitpid(pid, 0)
    try:
        assert process.pidfd_exit_status(pidfd) == status
    except OSError as error:
        if error.errno not in (errno.ENOTTY, errno.EINVAL):
            raise
        pytest.skip("a kernel before 6.15")
    finally:
        os.close(pidfd)


def test_ignored_signals_are_not_handed_on() -> None:
    pid = os.fork()
    if pid == 0:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        process.restore_signals()
        good = signal.getsignal(signal.SIGPIPE) == signal.SIG_DFL
        os._exit(0 if good and not signal.pthread_sigmask(signal.SIG_BLOCK, ()) else 1)
    assert os.waitpid(pid, 0)[1] == 0


def test_fork_into_nothing_is_fork() -> None:
    pid, joined = fork_into(None)
    if pid == 0:
        os._exit(4)
    assert not joined
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 4


def test_a_descriptor_crosses_a_socket(tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_PATH)
    listener = sockets.listen_in(directory, "sock")
    client = sockets.connect_in(directory, "sock")
    server = sockets.accept(listener)
    memory = os.memfd_create("x")
    sockets.send_fd(client, memory, b"name")
    received = sockets.receive_fd(server)
    assert os.fstat(received).st_ino == os.fstat(memory).st_ino
    client.sendall(b"nothing")
    with pytest.raises(OSError, match="no file descriptor"):
        sockets.receive_fd(server)
    for fd in (directory, memory, received):
        os.close(fd)
    for one in (listener, client, server):
        one.close()


def test_the_interpreters_path_is_a_real_file() -> None:
    assert os.path.isfile(sealed.interpreter_path())
    assert not os.path.islink(sealed.interpreter_path())
