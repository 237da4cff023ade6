"""200 MB of 100-byte lines through a container's log: how long it writes; reading it again."""

from __future__ import annotations

import argparse
import os
import subprocess
import time
from pathlib import Path

from bench import IMAGE, Stacker, median_of, own_stacker, row, timed
from peers import Podman, podman

LINE = "x" * 99
REFERENCE = "reference: podman k8s-file 1.57 s, docker json-file 8.9 s, docker logs 17.5 s"


def producer(lines: int) -> str:
    return f"yes {LINE} | head -n {lines}"


def alone(lines: int, out: Path) -> float:
    with out.open("wb") as file:
        return timed(
            lambda: subprocess.run(
                ["/bin/busybox", "sh", "-c", f"busybox yes {LINE} | busybox head -n {lines}"],
                stdout=file,
                check=True,
            )
        )


def stack(lines: int) -> str:
    return (
        f"name: flood\nservices:\n  w:\n    image: {IMAGE}\n    network_mode: none\n"
        f'    command: [sh, -c, "{producer(lines)}"]\n'
        "    logging: {options: {max-size: 1g, max-file: '1'}}\n"
    )


def ours(stacker: Stacker, lines: int, read: list[float]) -> float:
    """Seconds from `stacker up` to the container's end; those of `stacker logs` go to ``read``."""
    path = stacker.write(stack(lines), "flood.yaml")
    began = time.time()
    stacker.ok("up", "-d", str(path))
    # seldom: what asks takes the processor from what is measured
    while (ended := stacker.containers("-p", "flood")["flood-w-1"]["exited_at"]) is None:
        time.sleep(0.3)
    out = stacker.directory / "out"
    with out.open("wb") as file:
        command, env = stacker.command("logs", "-p", "flood", "--no-log-prefix"), stacker.env()
        read.append(timed(lambda: subprocess.run(command, env=env, stdout=file, check=True)))
    assert out.stat().st_size == lines * (len(LINE) + 1), "lines are missing"
    stacker.ok("down", "-t", "0", "-p", "flood")
    return ended - began


def theirs(peer: Podman, lines: int, read: list[float]) -> float:
    def write() -> None:
        driver = ("--log-driver", "k8s-file")
        assert peer.start("w", "/bin/sh", "-c", producer(lines), options=driver)
        peer.run("wait", "w")

    took = timed(write)
    with (peer.directory / "out").open("wb") as file:
        read.append(timed(lambda: peer.run("logs", "w", stdout=file.fileno())))
    peer.run("rm", "w")
    return took


def summary(read: list[float]) -> tuple[float, float, float]:
    counted = sorted(read[1:])  # the first was median_of's warm-up
    return counted[len(counted) // 2], counted[0], counted[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=5, help="counted runs (%(default)s)")
    parser.add_argument("--megabytes", type=int, default=200, help="(%(default)s)")
    arguments = parser.parse_args()
    lines = arguments.megabytes * 1_000_000 // (len(LINE) + 1)
    with own_stacker() as stacker, podman() as peer:
        out = stacker.directory / "alone"
        row("producer alone, to a file", median_of(lambda: alone(lines, out), arguments.n))
        os.unlink(out)

        read: list[float] = []
        written = median_of(lambda: ours(stacker, lines, read), arguments.n)
        row("stacker: up to the container's end", written)
        row("stacker logs, to a file", summary(read), limit="at most 2 s")
        if peer is None:
            print(f"podman does not run here; {REFERENCE}")
            return
        their_read: list[float] = []
        their_written = median_of(lambda: theirs(peer, lines, their_read), arguments.n)
        row(
            "podman run -d, wait (k8s-file)",
            their_written,
            limit=f"stacker takes {written[0] / their_written[0]:.2f} of it; at most 1",
        )
        row(
            "podman logs, to a file",
            summary(their_read),
            limit=f"stacker takes {summary(read)[0] / summary(their_read)[0]:.2f} of it",
        )


if __name__ == "__main__":
    main()
