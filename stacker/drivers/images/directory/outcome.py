"""How a process says what has become of its work, as one JSON object, and how that is heard.

Called by `worker` and `maker`, which say it, and by `maker` and `body`, which hear it.
"""

from __future__ import annotations

import errno
import json
import signal
from collections.abc import Callable
from typing import Any, cast

from stacker.base.errors import BY_KIND, Corrupt, Failed, StackerError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def tell(work: Callable[[], dict[str, object]]) -> bytes:
    """What `work` returns, or what it has run into."""
    try:
        answer = work()
    except StackerError as error:
        answer = {"kind": error.kind, "message": error.message}
    except OSError as error:
        kind = "no-space" if error.errno in _FULL else "failed"
        answer = {"kind": kind, "message": f"write layer: {(error.strerror or str(error)).lower()}"}
    except MemoryError:
        answer = {"kind": "corrupt", "message": "layer: needs more memory than is allowed"}
    return json.dumps(answer).encode()


def hear(text: bytes, status: int, *, who: str) -> dict[str, Any]:
    """Of a process that has ended with `status`, as `subprocess` has it; raises what it has run
    into."""
    if status == -signal.SIGXCPU:
        raise Corrupt("layer: needs more processor time than is allowed")
    try:
        answer = cast("dict[str, Any]", json.loads(text))
    except ValueError:
        raise Failed(f"make layer: its {who} {_end(status)}") from None
    if "kind" in answer:
        raise BY_KIND.get(answer["kind"], Failed)(answer["message"])
    return answer


def _end(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}, and said nothing"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:  # a real-time signal
        return f"was killed by signal {-status}"
