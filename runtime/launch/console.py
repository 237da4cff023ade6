"""The container's terminal: made in its own devpts, handed out by fd, never named by a path."""

from __future__ import annotations

import os

from runtime.errors import KernelFault, step
from runtime.linux import terminal
from runtime.linux.fds import open_in_root
from runtime.linux.mount import attach, clone_tree
from runtime.linux.sockets import send_fd
from runtime.rootfs.devices import is_device, remove_name
from runtime.rootfs.resolve import open_plain_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket

    from runtime.spec.model import Process

# any process may be a member of group tty in the container and open it (devpts gives 0620)
_PTMX = (5, 2)


def make_terminal(root: int, process: Process, receiver: _socket.socket) -> int:
    """Make a pty, send the master to `receiver`, and give the slave's fd."""
    with step("open /dev/pts/ptmx of the container"):
        multiplexer = open_in_root(root, "dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY)
    try:
        if not is_device(multiplexer, *_PTMX):
            raise KernelFault("open /dev/pts/ptmx of the container", 0, "it is another file")
        with step("make the terminal"):
            slave = terminal.open_slave(multiplexer)
            if process.console_size is not None:
                terminal.set_size(multiplexer, *process.console_size)
        with step("send the terminal to the console socket"):
            send_fd(receiver, multiplexer, b"/dev/ptmx")
    finally:
        os.close(multiplexer)
    return slave


def bind_console(root: int, slave: int) -> None:
    """/dev/console is the terminal itself (config-linux.md, "Default Devices")."""
    dev = open_plain_directory(root, "/dev")
    try:
        with step("bind /dev/console"):
            remove_name(dev, "console")
            flags = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            target = os.open("console", flags | os.O_RDONLY, 0o600, dir_fd=dev)
            bound = clone_tree(slave)
            attach(bound, target)
            os.close(bound)
            os.close(target)
    finally:
        os.close(dev)


def take_terminal(slave: int, uid: int) -> None:
    """Make it the session's terminal and the three standard streams of the calling process."""
    with step("take the terminal"):
        os.fchown(slave, uid, -1)
        terminal.make_controlling(slave)
        for fd in (0, 1, 2):
            os.dup2(slave, fd)
        os.close(slave)
