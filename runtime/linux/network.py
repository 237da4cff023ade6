"""What a new network namespace needs from us: its loopback interface, up (netdevice(7))."""

from __future__ import annotations

import _socket
import errno
import fcntl
import struct

_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1
_REQUEST = struct.Struct("=16sH22x")


def bring_loopback_up() -> None:
    try:
        endpoint = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    except OSError as error:
        # a kernel without IPv4: there is nothing to bring up
        if error.errno == errno.EAFNOSUPPORT:
            return
        raise
    try:
        request = bytearray(_REQUEST.pack(b"lo", 0))
        fcntl.ioctl(endpoint.fileno(), _SIOCGIFFLAGS, request, True)
        _, flags = _REQUEST.unpack(request)
        fcntl.ioctl(endpoint.fileno(), _SIOCSIFFLAGS, _REQUEST.pack(b"lo", flags | _IFF_UP))
    finally:
        endpoint.close()
