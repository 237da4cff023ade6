"""As much HTTP/1.1 as our own supervisor needs of a client, over a unix socket.

``http.client`` would bring in ``email`` and triple the cold start of ``stacker ps``. One request
per connection: nothing is reused, so nothing has to be kept alive or found dead.
"""

from __future__ import annotations

import os
import sys

# The C type itself: ``socket`` wraps it with ``enum`` and ``selectors``, 3 ms that are not needed
# for connecting, sending and receiving.
from _socket import AF_UNIX, SHUT_RDWR, SO_SNDTIMEO, SOCK_STREAM, SOL_SOCKET
from _socket import socket as Socket

from stacker.base.errors import Corrupt, Denied, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECT_TIMEOUT_S = 5
MAX_HEAD = 64 << 10
_READ = 256 << 10
_MAX_SUN_PATH = 107


class NeverAnswered(Unavailable):
    """The connection ended before the first byte of an answer: the supervisor was just ending."""


class Response:
    """An answer whose head has been read; the body is still on the socket."""

    def __init__(self, sock: Socket, status: int, headers: dict[str, str], early: bytes) -> None:
        self.status = status
        self.headers = headers
        self._sock = sock
        self._early = early

    def read(self, limit: int = 256 << 20) -> bytes:
        """Return the whole body and close."""
        parts: list[bytes] = []
        size = 0
        for part in self.parts():
            size += len(part)
            if size > limit:
                self.close()
                raise Corrupt(f"the supervisor's answer is longer than {limit} bytes")
            parts.append(part)
        return b"".join(parts)

    def parts(self) -> Iterator[bytes]:
        """Yield the body as it arrives; close at its end, or when the caller stops."""
        try:
            if self.headers.get("transfer-encoding", "").lower() == "chunked":
                yield from self._chunks()
            else:
                yield from self._sized(int(self.headers.get("content-length", "0")))
        finally:
            self.close()

    def lines(self) -> Iterator[bytes]:
        """Yield the body's lines without their ends."""
        rest = b""
        for part in self.parts():
            *lines, rest = (rest + part).split(b"\n")
            yield from lines
        if rest:
            yield rest

    def take_socket(self) -> tuple[Socket, bytes]:
        """Hand over the connection after an upgrade, with the bytes that came early."""
        return self._sock, self._early

    def close(self) -> None:
        """Close the connection; a thread that reads from it sees its end."""
        try:  # noqa: SIM105 contextlib is not worth its import here
            self._sock.shutdown(SHUT_RDWR)
        except OSError:
            pass  # the other side was quicker
        self._sock.close()

    def _receive(self) -> bytes:
        if self._early:
            received, self._early = self._early, b""
            return received
        received = _receive(self._sock)
        if not received:
            raise Unavailable("the supervisor ended in the middle of its answer")
        return received

    def _sized(self, remaining: int) -> Iterator[bytes]:
        while remaining > 0:
            received = self._receive()
            remaining -= len(received)
            yield received

    def _chunks(self) -> Iterator[bytes]:
        buffer = b""
        while True:
            while (end := buffer.find(b"\r\n")) < 0:
                if len(buffer) > MAX_HEAD:
                    raise Corrupt("the supervisor's answer is not chunked as it says")
                buffer += self._receive()
            try:
                size = int(buffer[:end].split(b";")[0], 16)
            except ValueError as error:
                raise Corrupt("the supervisor's answer is not chunked as it says") from error
            buffer = buffer[end + 2 :]
            if size == 0:
                return
            while size > 0:
                if not buffer:
                    buffer = self._receive()
                part, buffer = buffer[:size], buffer[size:]
                size -= len(part)
                yield part
            while len(buffer) < 2:
                buffer += self._receive()
            buffer = buffer[2:]


def request(
    path: str,
    method: str,
    target: str,
    *,
    body: bytes | None = None,
    headers: tuple[tuple[str, str], ...] = (),
    timeout_s: float | None = None,
) -> Response:
    """Send one request to the socket at ``path`` and return the answer's head.

    ``timeout_s`` bounds each wait for bytes; None: a stream, which may be silent for long.
    """
    lines = [f"{method} {target} HTTP/1.1", "Host: stacker"]
    lines += [f"{name}: {value}" for name, value in headers]
    if not any(name == "Connection" for name, _ in headers):
        lines.append("Connection: close")
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    head = "\r\n".join(lines).encode() + b"\r\n\r\n"

    sock = connect(path)
    try:
        sock.settimeout(timeout_s)
        sock.sendall(head + (body or b""))
        return _read_head(sock)
    except TimeoutError as error:
        sock.close()
        raise Unavailable(f"{path}: the supervisor does not answer") from error
    except OSError as error:
        sock.close()
        raise NeverAnswered(f"{path}: {error.strerror or error}") from error
    except BaseException:
        sock.close()
        raise


def connect(path: str) -> Socket:
    """Connect, also to a path that is too long for a socket address."""
    sock = Socket(AF_UNIX, SOCK_STREAM)
    directory = -1
    try:
        # a socket with Python's timeout does not block, and fails where too many wait already
        # (unix(7), EAGAIN); one that blocks for so long at the most waits for its turn
        sock.setsockopt(SOL_SOCKET, SO_SNDTIMEO, _timeval(CONNECT_TIMEOUT_S))
        address = path
        if len(os.fsencode(path)) > _MAX_SUN_PATH:
            directory = os.open(os.path.dirname(path), os.O_PATH | os.O_CLOEXEC)
            address = f"/proc/self/fd/{directory}/{os.path.basename(path)}"
        sock.connect(address)
        sock.setsockopt(SOL_SOCKET, SO_SNDTIMEO, _timeval(0))
        sock.settimeout(CONNECT_TIMEOUT_S)
    except PermissionError as error:
        sock.close()
        raise Denied(f"{path}: only root may talk to the supervisor") from error
    except OSError as error:
        sock.close()
        raise NeverAnswered(f"{path}: no supervisor answers: {error.strerror or error}") from error
    finally:
        if directory >= 0:
            os.close(directory)
    return sock


def _read_head(sock: Socket) -> Response:
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        if len(received) > MAX_HEAD:
            raise Corrupt("the supervisor's answer has no end of its head")
        try:
            part = sock.recv(_READ)
        except ConnectionError:
            part = b""
        if not part and not received:
            raise NeverAnswered("the supervisor closed the connection")
        if not part:
            raise Unavailable("the supervisor ended in the middle of its answer")
        received += part

    first, *rest = received[:end].decode("latin-1").split("\r\n")
    words = first.split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
        raise Corrupt("what answers on the socket is not a supervisor")
    headers: dict[str, str] = {}
    for line in rest:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Response(sock, int(words[1]), headers, received[end + 4 :])


def _receive(sock: Socket) -> bytes:
    try:
        return sock.recv(_READ)
    except TimeoutError as error:
        raise Unavailable("the supervisor does not answer") from error
    except OSError as error:
        raise Unavailable(f"the supervisor went away: {error.strerror or error}") from error


def _timeval(seconds: int) -> bytes:
    """Give a struct timeval of 64-bit Linux; struct would have to be imported for it."""
    return seconds.to_bytes(8, sys.byteorder) + bytes(8)
