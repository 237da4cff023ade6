"""A supervisor to be killed: starts containers with known codes until it dies.

Run as ``python supervising.py BASE RUNTIME FIRST COUNT``; says a line for each that it has started.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import anyio

from stacker.drivers.containers.containers import Containers
from stacker.plan.container_specs import Launch


def container_id(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def code_of(number: int) -> int:
    return number * 7 % 251


async def supervise(base: Path, runtime: str, numbers: range) -> None:
    template = (base / "template.json").read_text()
    async with Containers(
        root=base / "root", run=base / "run", tag="test", default_runtime=runtime
    ) as containers:
        print("open", flush=True)
        for number in numbers:
            spec: dict[str, Any] = json.loads(template.replace("@ID", container_id(number)[:12]))
            spec["process"]["args"] = ["/bin/sh", "-c", f"echo {number}; exit {code_of(number)}"]
            await containers.start(Launch(container_id=container_id(number), spec=spec))
            print(number, flush=True)
        await anyio.sleep_forever()


if __name__ == "__main__":
    first, count = int(sys.argv[3]), int(sys.argv[4])
    anyio.run(supervise, Path(sys.argv[1]), sys.argv[2], range(first, first + count))
