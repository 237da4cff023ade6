"""200 MB of 100-byte lines through a container's log: written, kept, and read again.

Run as root: ``python benchmarks/logs.py [MEGABYTES]``. Prints the seconds until the container has
ended, those of reading all lines with a prefix to /dev/null, and podman's k8s-file log driver in
the same run where podman is installed.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import anyio

from runtime.wire.lines import Lines, prefixed
from stacker.drivers.containers.containers import Containers
from stacker.plan.container_specs import Launch, LogOptions

MEGABYTE = 1_000_000
LINE = b"x" * 99 + b"\n"


def make_rootfs(rootfs: Path) -> None:
    for name in ("bin", "proc", "dev"):
        (rootfs / name).mkdir(parents=True)
    shutil.copy2("/bin/busybox", rootfs / "bin/busybox")
    (rootfs / "lines").write_bytes(LINE * 10_000)


def spec(rootfs: Path, container_id: str, megabytes: int) -> dict[str, object]:
    script = f"i=0; while [ $i -lt {megabytes} ]; do /bin/busybox cat /lines; i=$((i+1)); done"
    return {
        "ociVersion": "1.0.2",
        "root": {"path": str(rootfs), "readonly": True},
        "process": {
            "args": ["/bin/busybox", "sh", "-c", script],
            "cwd": "/",
            "env": ["PATH=/bin"],
            "user": {"uid": 0, "gid": 0},
        },
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
        "linux": {
            "cgroupsPath": f"/stacker-bench-{container_id[:12]}",
            "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "network")],
        },
    }


async def measure(base: Path, megabytes: int) -> dict[str, float]:
    rootfs = base / "rootfs"
    make_rootfs(rootfs)
    container_id = secrets.token_hex(32)
    keep_all = LogOptions(max_size=megabytes * 2 * MEGABYTE)
    async with Containers(root=base / "root", run=base / "run", tag="bench") as containers:
        begin = time.perf_counter()
        await containers.start(
            Launch(
                container_id=container_id,
                spec=spec(rootfs, container_id, megabytes),
                log=keep_all,
            )
        )
        await containers.wait(container_id)
        written_s = time.perf_counter() - begin

        begin = time.perf_counter()
        lines, size = Lines(), 0
        sink = os.open("/dev/null", os.O_WRONLY)
        async for frames in containers.logs(container_id, tail=None, since=None, follow=False):
            for _, _, content in lines.feed(frames):
                size += len(content)
                os.write(sink, prefixed(content, b"web-1  | "))
        os.close(sink)
        read_s = time.perf_counter() - begin
        await containers.delete(container_id)
        await containers.shutdown()
    assert size == megabytes * MEGABYTE, f"{size} bytes came back"
    return {"written_s": round(written_s, 3), "read_s": round(read_s, 3)}


def measure_podman(base: Path, megabytes: int) -> float | None:
    if shutil.which("podman") is None:
        return None
    script = f"i=0; while [ $i -lt {megabytes} ]; do /bin/busybox cat /lines; i=$((i+1)); done"
    command = ["podman", "run", "--rm", "--log-driver", "k8s-file", "--network", "none"]
    command += ["--rootfs", str(base / "rootfs"), "/bin/busybox", "sh", "-c", script]
    begin = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    return round(time.perf_counter() - begin, 3) if done.returncode == 0 else None


def main() -> None:
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    if os.geteuid() != 0:
        sys.exit("needs root")
    with tempfile.TemporaryDirectory(prefix="stacker-bench-") as directory:
        base = Path(directory)
        (base / "root").mkdir(mode=0o700)
        result: dict[str, object] = dict(anyio.run(measure, base, megabytes))
        result |= {"megabytes": megabytes, "podman_written_s": measure_podman(base, megabytes)}
        print(json.dumps(result))


if __name__ == "__main__":
    main()
