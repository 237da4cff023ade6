"""`stacker ps` against the bare interpreter, and `stacker exec … true` against peers."""

from __future__ import annotations

import argparse
import subprocess
import sys

from bench import Stacker, installed, median_of, own_stacker, row, stack_of, timed


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
    with own_stacker() as stacker:
        stacker.up(stack_of(50))
        bare = median_of(
            lambda: timed(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True)), runs
        )
        listed = median_of(lambda: command_time(stacker, "ps", "-p", "bench"), runs)
        executed = median_of(
            lambda: command_time(stacker, "exec", "-T", "-p", "bench", "s0", "true"), runs
        )
        row("python -c pass", bare)
        row(
            "stacker ps, 50 containers",
            listed,
            limit=f"{listed[0] / bare[0]:.2f} of python; at most 3",
        )
        row("stacker exec SERVICE true", executed, limit="at most 0.072 s: half of docker's 0.144")
        if installed("podman"):
            print(
                "podman is installed: compare with `podman exec` of a container of the same image"
            )


if __name__ == "__main__":
    main()
