"""F1: fork bombs in three containers: the API answers, neighbours live, `stop` works."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.supervisor import IMAGE, Stacker, eventually

pytestmark = [pytest.mark.root, pytest.mark.soak]
SOAK = bool(os.environ.get("STACKER_SOAK"))

BASE = f"""
name: base
services:
  base:
    image: {IMAGE}
    command: [sleep, infinity]
    init: true
"""
BOMB = "#include <unistd.h>\nint main(void) { for (;;) fork(); }\n"
CALLS = 300 if SOAK else 60


def bombs() -> str:
    # in full with the default limit; what a smaller one shows is the same with less noise
    limit = "" if SOAK else "    pids_limit: 150\n"
    one = f"    image: {IMAGE}\n    command: [/bomb]\n    volumes: [./bomb:/bomb:ro]\n{limit}"
    return "name: bombs\nservices:\n" + "".join(f"  b{n}:\n{one}" for n in range(3))


def build_bomb(directory: Path) -> None:
    (directory / "bomb.c").write_text(BOMB)
    command = ["gcc", "-static", "-O1", "-o", directory / "bomb", directory / "bomb.c"]
    subprocess.run(command, check=True, timeout=60)


def loop_s() -> float:
    """How long a fixed piece of work takes: what the machine's load does to anybody."""
    began = time.monotonic()
    sum(number * number for number in range(100_000))
    return time.monotonic() - began


def call_s(stacker: Stacker) -> float:
    began = time.monotonic()
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(str(stacker.run / "api/stacker.sock"))
        client.sendall(b"GET /v1/stacks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b""
        while part := client.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200")
    return time.monotonic() - began


def quantile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def test_fork_bombs(stacker: Stacker) -> None:
    """F1: the API answers, a neighbour lives, and `stop` works, whatever three bombs do."""
    build_bomb(stacker.directory)
    stacker.up(BASE)
    calm = quantile([loop_s() for _ in range(20)], 0.5)
    stacker.ok("up", "-d", str(stacker.write(bombs(), "bombs.yaml")), timeout=60)

    def processes() -> int:
        return sum(1 for path in Path("/proc").glob("[0-9]*/comm") if _is_bomb(path))

    eventually(lambda: processes() > (1_000 if SOAK else 100), what="the bombs")
    scaled: list[float] = []
    for _ in range(CALLS):
        load = max(1.0, loop_s() / calm)
        scaled.append(call_s(stacker) / load)
    p99 = quantile(scaled, 0.99)
    assert p99 < 0.2, f"p99 {p99 * 1000:.0f} ms"
    assert stacker.ok("exec", "-T", "-p", "base", "base", "echo", "alive").strip() == "alive"
    assert stacker.containers("-p", "base")["base-base-1"]["status"] == "running"
    stacker.ok("stop", "-t", "1", "-p", "bombs", timeout=60)
    assert {row["status"] for row in stacker.containers("-p", "bombs").values()} == {"exited"}
    eventually(lambda: processes() == 0, what="the end of the bombs")


def _is_bomb(path: Path) -> bool:
    try:
        return path.read_text() == "bomb\n"
    except OSError:
        return False
