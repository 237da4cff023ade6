"""Bodies that go on: events, operations, logs, exec. Blocking iterators; ``close`` ends them."""

from __future__ import annotations

from stacker.base.errors import Corrupt, Unavailable
from stacker.client.quick_json import loads
from stacker.wire.message import decode
from stacker.wire.problems import error_of
from stacker.wire.replies import EventLine, OperationLine, UpReply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacker.client.http import Response
    from stacker.wire.log_stream import LogRecord


def parse(line: bytes) -> object:
    """Parse JSON that the supervisor sent."""
    try:
        return loads(line)
    except (ValueError, RecursionError) as error:
        raise Corrupt("the supervisor's answer is not JSON") from error


class EventStream:
    """Events as they happen, until the stream ends or ``close`` is called."""

    def __init__(self, response: Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[EventLine]:
        for line in self._response.lines():
            yield decode(EventLine, parse(line), lenient=True)

    def close(self) -> None:
        """End it, also from another thread."""
        self._response.close()


class Operation:
    """Something under way: iterate for its events, then ask for its result.

    An operation that fails raises its error from the iteration.
    """

    def __init__(self, response: Response) -> None:
        self._response = response
        self._result: dict[str, object] | None = None
        self._read = False
        self.accepted: UpReply | None = None
        """What an ``up`` has been promised; there before its first event."""

    def __iter__(self) -> Iterator[EventLine]:
        for text in self._response.lines():
            line = decode(OperationLine, parse(text), lenient=True)
            if line.accepted is not None:
                self.accepted = line.accepted
            if line.problem is not None:
                raise error_of(line.problem)
            if line.event is not None:
                yield line.event
            if line.result is not None:
                self._result = line.result
        self._read = True

    def result(self) -> dict[str, object]:
        """Return the last line's result, after the events that are left."""
        if not self._read:
            for _ in self:
                pass
        if self._result is None:
            raise Unavailable("the supervisor ended before the operation did")
        return self._result

    def close(self) -> None:
        """Stop listening; the operation goes on."""
        self._response.close()


class LogStream:
    """Log records as they arrive: of which container, and whole frames of it."""

    def __init__(self, response: Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[tuple[LogRecord, bytes]]:
        from stacker.wire.log_stream import RecordReader

        reader = RecordReader()
        for part in self._response.parts():
            yield from reader.feed(part)

    def close(self) -> None:
        """End it, also from another thread."""
        self._response.close()


class ExecStream:
    """A process in a container: send to its stdin, iterate over what it says.

    One thread may read while another sends.
    """

    def __init__(self, response: Response) -> None:
        from threading import Lock

        self._socket, self._early = response.take_socket()
        self._socket.settimeout(None)
        self._sending = Lock()

    def fileno(self) -> int:
        """Return the socket's descriptor, to wait for it beside others."""
        return self._socket.fileno()

    def send(self, content: bytes) -> None:
        """Give bytes to its stdin; none say that there will be no more."""
        from stacker.wire.execution import MAX_PAYLOAD, STDIN, frame

        for start in range(0, max(len(content), 1), MAX_PAYLOAD):
            self._send(frame(STDIN, content[start : start + MAX_PAYLOAD]))

    def resize(self, rows: int, columns: int) -> None:
        """Say how large the terminal is now."""
        from stacker.wire.execution import resize

        self._send(resize(rows, columns))

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """Yield (kind, payload) of ``wire.execution``, until the connection ends."""
        from stacker.wire.execution import PROBLEM, FrameReader
        from stacker.wire.replies import Problem

        reader = FrameReader()
        received = self._early
        while True:
            for kind, payload in reader.feed(received):
                if kind == PROBLEM:
                    raise error_of(decode(Problem, parse(payload), lenient=True))
                yield kind, payload
            try:
                received = self._socket.recv(65536)
            except OSError as error:
                raise Unavailable(f"exec: the supervisor went away: {error}") from error
            if not received:
                return

    def close(self) -> None:
        """End it; the process in the container gets SIGHUP or end of file."""
        self._socket.close()

    def _send(self, content: bytes) -> None:
        try:
            with self._sending:
                self._socket.sendall(content)
        except OSError as error:
            raise Unavailable(f"exec: the supervisor went away: {error}") from error
