"""The history of events in one SQLite file, so that it survives the supervisor.

Writes are batched by the caller (``add`` takes many); the file is kept small by dropping the
oldest rows. A file that SQLite does not accept is set aside and a new one begun.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from stacker.base.errors import Corrupt
from stacker.plan.events import Event

KEEP = 50_000
"""Events; older ones are dropped."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY,
    time REAL NOT NULL,
    kind TEXT NOT NULL,
    stack TEXT NOT NULL,
    service TEXT NOT NULL,
    container TEXT NOT NULL,
    message TEXT NOT NULL,
    attributes TEXT NOT NULL
) STRICT
"""


class History:
    """Events on disk. All calls block for the time of one small transaction."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.warning: str | None = None
        """Set when the file had to be begun anew."""
        try:
            self._db = self._open(path)
        except sqlite3.Error as error:
            self._db = self._begin_anew(error)

    def _begin_anew(self, error: sqlite3.Error) -> sqlite3.Connection:
        """Set the file aside; on a disk that takes none, keep the events of this life alone."""
        aside = self._path.with_name(self._path.name + ".corrupt")
        self.warning = f"event history {self._path}: {error}; set aside as {aside.name}"
        try:
            self._path.replace(aside)
            for suffix in ("-wal", "-shm"):
                # SQLite would take the old log for one of the new file (sqlite.org/howtocorrupt)
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            return self._open(self._path)
        except (sqlite3.Error, OSError):
            self.warning = f"event history {self._path}: {error}; kept in memory"
            return self._open(":memory:")

    def _open(self, path: Path | str) -> sqlite3.Connection:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            # the history may lose its last moments in a power cut, never its integrity
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            db.execute(SCHEMA)
            db.execute("SELECT max(seq) FROM events").fetchone()
        except sqlite3.Error:
            db.close()
            raise
        return db

    def last_seq(self) -> int:
        row = self._db.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()
        return int(row[0])

    def add(self, events: Iterable[Event]) -> None:
        """Append; raise nothing for a full disk but drop the batch (events are not the truth)."""
        rows = [
            (
                event.seq,
                event.time,
                event.kind,
                event.stack,
                event.service,
                event.container,
                event.message,
                json.dumps(event.attributes, sort_keys=True),
            )
            for event in events
        ]
        if not rows:
            return
        try:
            self._db.execute("BEGIN")
            self._db.executemany("INSERT OR REPLACE INTO events VALUES (?,?,?,?,?,?,?,?)", rows)
            self._db.execute("DELETE FROM events WHERE seq <= ?", (rows[-1][0] - KEEP,))
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self.warning = f"event history {self._path}: {error}"
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def since(self, seq: int, *, limit: int = 10_000) -> list[Event]:
        """Return the events after ``seq``, oldest first."""
        try:
            return list(self._since(seq, limit))
        except (sqlite3.Error, ValueError) as error:
            raise Corrupt(f"event history {self._path}: {error}") from error

    def _since(self, seq: int, limit: int) -> Iterator[Event]:
        rows = self._db.execute(
            "SELECT * FROM (SELECT * FROM events WHERE seq > ? ORDER BY seq DESC LIMIT ?)"
            " ORDER BY seq",
            (seq, limit),
        )
        for row in rows:
            yield Event(
                seq=row[0],
                time=row[1],
                kind=row[2],
                stack=row[3],
                service=row[4],
                container=row[5],
                message=row[6],
                attributes=json.loads(row[7]),
            )

    def close(self) -> None:
        self._db.close()
