"""Unix sockets between our own processes, and file descriptors sent over them (unix(7)).

The C module is used directly: `socket` brings `selectors` and a dozen enumerations that a short
command would pay for on every start.
"""

from __future__ import annotations

import _socket
import os
import struct

_PEER = struct.Struct("=iII")
_FD = struct.Struct("=i")


def packet_pair() -> tuple[_socket.socket, _socket.socket]:
    """Two ends that keep message boundaries; an empty message means that the peer is gone."""
    kind = _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC
    return _socket.socketpair(_socket.AF_UNIX, kind)


def stream() -> _socket.socket:
    return _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)


def listen_in(directory: int, name: str) -> _socket.socket:
    """Listen on a socket in an open directory: a path has no room for more than 107 bytes."""
    listener = stream()
    listener.bind(f"/proc/self/fd/{directory}/{name}")
    listener.listen(1)
    return listener


def connect_in(directory: int, name: str) -> _socket.socket:
    connection = stream()
    try:
        connection.connect(f"/proc/self/fd/{directory}/{name}")
    except OSError:
        connection.close()
        raise
    return connection


def connect_to(path: str) -> _socket.socket:
    """Connect by path, whatever its length: through an fd of its directory."""
    directory = os.open(os.path.dirname(path) or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return connect_in(directory, os.path.basename(path))
    finally:
        os.close(directory)


def accept(listener: _socket.socket) -> _socket.socket:
    fd, _ = listener._accept()  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
    return _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, fd)  # pyright: ignore[reportUnknownArgumentType]


def send_fd(connection: _socket.socket, fd: int, payload: bytes) -> None:
    rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, _FD.pack(fd))
    connection.sendmsg([payload], [rights])


def receive_fd(connection: _socket.socket) -> int:
    """The one fd of a message; OSError when it carried none."""
    _, ancillary, _, _ = connection.recvmsg(
        4096, _socket.CMSG_SPACE(_FD.size), _socket.MSG_CMSG_CLOEXEC
    )
    for level, kind, data in ancillary:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            return _FD.unpack(data[: _FD.size])[0]
    raise OSError(0, "no file descriptor came")


def bind_datagrams(directory: int, name: str) -> _socket.socket:
    """A datagram socket in an open directory that everybody who gets there may write to."""
    receiver = _datagram()
    try:
        receiver.bind(f"/proc/self/fd/{directory}/{name}")
        os.chmod(name, 0o777, dir_fd=directory)
    except OSError:
        receiver.close()
        raise
    return receiver


def send_datagram(address: str, payload: bytes, fd: int = -1) -> None:
    """To a socket by path, or by abstract name when it begins with @ (unix(7))."""
    rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, _FD.pack(fd))] if fd >= 0 else []
    sender = _datagram()
    try:
        sender.sendmsg([payload], rights, 0, "\0" + address[1:] if address[0] == "@" else address)
    finally:
        sender.close()


def _datagram() -> _socket.socket:
    return _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
