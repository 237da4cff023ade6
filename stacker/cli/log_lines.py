"""Log records to lines on stdout: prefixes, time stamps, colours, JSON.

Works on chunks of whole lines, never line by line, unless JSON is asked for. On a terminal what is
not a colour is spelled out: a log line may not move the cursor or set the window's title.
"""

from __future__ import annotations

from runtime.wire.frames import HEADER, NOTE, STDERR, BadFrame, split
from runtime.wire.lines import Lines, prefixed
from stacker.base.errors import Corrupt
from stacker.cli import notes, output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from stacker.wire.log_stream import LogRecord

COLOURS = (b"36", b"33", b"32", b"35", b"34", b"96", b"93", b"92", b"95", b"94")


class Style:
    """How lines are to look."""

    def __init__(
        self,
        *,
        prefix: bool = True,
        timestamps: bool = False,
        colour: bool = False,
        json: bool = False,
    ) -> None:
        self.prefix = prefix
        self.timestamps = timestamps
        self.colour = colour
        self.json = json


class LogPrinter:
    """Prints the records of any number of containers; knows where it was when a stream is cut."""

    def __init__(self, style: Style, *, stack: str) -> None:
        self._style = style
        self._stack = stack
        self._lines: dict[str, Lines] = {}
        self._prefixes: dict[str, bytes] = {}
        self._widest = 0
        self._last_ns: dict[str, int] = {}
        self._resumed: set[str] = set()
        self._clean = _cleaner() if output.is_terminal() and not style.json else None

    @property
    def since(self) -> float | None:
        """From when on a cut stream has to be asked for again."""
        return min(self._last_ns.values()) / 1e9 if self._last_ns else None

    def resume(self) -> None:
        """What comes next may overlap with what was printed."""
        self._resumed = set(self._last_ns)

    def print(self, record: LogRecord, frames: bytes) -> None:
        """Print the whole lines of a record."""
        try:
            if record.container in self._resumed:
                frames = self._unseen(record.container, frames)
            if not frames:
                return
            for time_ns, stream, content in split(frames):
                self._last_ns[record.container] = time_ns
                if stream == NOTE:
                    notes.warning(f"{record.container}: {bytes(content).decode(errors='replace')}")
            lines = self._lines.setdefault(record.container, Lines())
            for time_ns, stream, content in lines.feed(frames):
                if stream != NOTE:
                    self._print(record, time_ns, stream, content)
        except BadFrame as error:
            raise Corrupt(f"logs of {record.container}: {error}") from error

    def finish(self) -> None:
        """Print lines that were never ended."""
        from stacker.wire.log_stream import LogRecord

        for container, lines in self._lines.items():
            record = LogRecord(container=container, service="", length=0)
            for time_ns, stream, content in lines.rest():
                if stream != NOTE:
                    self._print(record, time_ns, stream, content)
        output.flush()

    def _unseen(self, container: str, frames: bytes) -> bytes:
        last, offset = self._last_ns[container], 0
        for time_ns, _, content in split(frames):
            if time_ns > last:
                self._resumed.discard(container)
                return frames[offset:]
            offset += HEADER.size + len(content)
        return b""

    def _print(self, record: LogRecord, time_ns: int, stream: int, content: bytes) -> None:
        if self._style.json:
            _print_json(record, time_ns, stream, content)
            return
        prefix = self._prefix(record.container) if self._style.prefix else b""
        if self._style.timestamps:
            prefix += _stamp(time_ns) + b" "
        if self._clean is not None:
            content = self._clean(content)
        output.raw(prefixed(content, prefix) if prefix else content)

    def _prefix(self, container: str) -> bytes:
        found = self._prefixes.get(container)
        if found is None:
            name = container.removeprefix(f"{self._stack}-")
            self._widest = max(self._widest, len(name))
            found = f"{name.ljust(self._widest)} | ".encode()
            if self._style.colour:
                colour = COLOURS[len(self._prefixes) % len(COLOURS)]
                found = b"\x1b[" + colour + b"m" + found + b"\x1b[0m"
            self._prefixes[container] = found
        return found


def _print_json(record: LogRecord, time_ns: int, stream: int, content: bytes) -> None:
    for line in content[:-1].split(b"\n"):
        output.json_line(
            {
                "time": time_ns / 1e9,
                "container": record.container,
                "service": record.service,
                "stream": "stderr" if stream == STDERR else "stdout",
                "line": line.decode(errors="replace"),
            }
        )


def _stamp(time_ns: int) -> bytes:
    from datetime import UTC, datetime

    second = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)
    return f"{second:%Y-%m-%dT%H:%M:%S}.{time_ns % 1_000_000_000:09d}Z".encode()


def _cleaner() -> Callable[[bytes], bytes]:
    """Spell out control characters, but for tabs, line ends and colours (``ESC [ … m``)."""
    import re

    acting = re.compile(rb"(\x1b\[[0-9;:]*m)|(\r(?=\n))|[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")

    def spell(match: re.Match[bytes]) -> bytes:
        if match.group(1) or match.group(2):
            return match.group()
        return f"\\x{match.group()[-1]:02x}".encode()

    return lambda content: acting.sub(spell, content)
