"""The container's terminal: made in its own devpts, handed out by fd, never named by a path."""

from __future__ import annotations

import os
import stat

from runtime.errors import KernelFault, step
from runtime.linux import terminal
from runtime.linux.fds import file_system_type, open_in_root
from runtime.linux.sockets import send_fd
from runtime.rootfs.devices import is_device, remove_name
from runtime.rootfs.resolve import open_plain_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket

    from runtime.rootfs.maker import Maker
    from runtime.spec.model import Process

# any process may be a member of group tty in the container and open it (devpts gives 0620)
_PTMX = (5, 2)
_DEVPTS_SUPER_MAGIC = 0x1CD1


def make_terminal(root: int, process: Process, receiver: _socket.socket) -> int:
    """Make a pty, send the master to `receiver`, and give the slave's fd."""
    with step("open /dev/pts/ptmx of the container"):
        multiplexer = open_in_root(root, "dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY)
    try:
        # a node of the image's own would give a terminal of the host's (CVE-2025-52565)
        if (
            not is_device(multiplexer, *_PTMX)
            or file_system_type(multiplexer) != _DEVPTS_SUPER_MAGIC
        ):
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


def bind_console(maker: Maker, root: int, slave: int, *, own_dev: bool) -> None:
    """/dev/console is the terminal itself (config-linux.md, "Default Devices").

    A /dev that is bound from the host stays as it is: what is there is covered, never replaced.
    """
    dev = open_plain_directory(root, "/dev")
    try:
        with step("bind /dev/console"):
            if own_dev:
                flags = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                if remove_name(dev, "console"):
                    os.close(os.open("console", flags | os.O_RDONLY, 0o600, dir_fd=dev))
            flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
            target = os.open("console", flags, dir_fd=dev)
            try:
                if stat.S_ISLNK(os.fstat(target).st_mode):
                    raise KernelFault("bind /dev/console", 0, "it is a link")
                bound = maker.clone(slave)
                maker.attach(bound, target)
                os.close(bound)
            finally:
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
