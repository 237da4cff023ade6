"""A caller whom the supervisor has no room for yet waits for its turn."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

from stacker.client import http


def test_it_waits_where_too_many_wait_already(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with (
        socket.socket(socket.AF_UNIX) as listener,
        socket.socket(socket.AF_UNIX) as first,
    ):
        listener.bind(path)
        listener.listen(0)
        first.connect(path)  # the one place there is

        def accept_when_the_caller_waits() -> None:
            state = Path(f"/proc/self/task/{os.getpid()}/stat")
            while state.read_text().rpartition(") ")[2][0] != "S":
                pass
            listener.accept()[0].close()

        thread = threading.Thread(target=accept_when_the_caller_waits)
        thread.start()
        http.connect(path).close()
        thread.join()
