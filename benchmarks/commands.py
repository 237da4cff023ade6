"""`stacker ps` against the bare interpreter, and `stacker exec … true` against peers."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable

from bench import Stacker, medians_of, own_stacker, row, stack_of, timed
from peers import podman


def command_time(stacker: Stacker, *args: str) -> float:
    command, env = stacker.command(*args), stacker.env()
    return timed(
        lambda: subprocess.run(
            command, env=env, cwd=stacker.directory, check=True, stdout=subprocess.DEVNULL
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=20, help="counted runs (%(default)s)")
    runs = parser.parse_args().n
    with own_stacker() as stacker, podman() as peer:
        stacker.up(stack_of(50))
        actions: dict[str, Callable[[], float]] = {
            "python": lambda: timed(lambda: subprocess.run([sys.executable, "-c", "pass"])),
            "ps": lambda: command_time(stacker, "ps", "-p", "bench"),
            "exec": lambda: command_time(stacker, "exec", "-T", "-p", "bench", "s0", "true"),
        }
        if peer is not None:
            assert peer.start("e", "/bin/sleep", "1000")
            actions["podman"] = lambda: timed(lambda: peer.run("exec", "e", "/bin/true"))
        taken = medians_of(actions, runs)
    bare, listed, executed = taken["python"], taken["ps"], taken["exec"]
    row("python -c pass", bare)
    row(
        "stacker ps, 50 containers",
        listed,
        limit=f"{listed[0] / bare[0]:.2f} of python; at most 3",
    )
    row("stacker exec SERVICE true", executed, limit="at most 0.072 s: half of docker's 0.144")
    if "podman" in taken:
        theirs = taken["podman"]
        row("podman exec true", theirs, limit=f"stacker takes {executed[0] / theirs[0]:.2f} of it")
    else:
        print("podman does not run here; reference: podman exec 0.167 s, docker exec 0.144 s")


if __name__ == "__main__":
    main()
