"""How long `stacker up -d --wait` takes for 1, 10 and 50 containers, image present."""

from __future__ import annotations

import argparse

from bench import Stacker, median_of, own_stacker, row, stack_of, timed

LIMITS = {1: 0.25, 10: 0.5, 50: 2.0}


def up_time(stacker: Stacker, count: int) -> float:
    path = str(stacker.write(stack_of(count), f"bench-{count}.yaml"))
    took = timed(lambda: stacker.ok("up", "-d", "--wait", path))
    stacker.ok("down", "-t", "0", "-p", "bench")
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=5, help="counted runs (%(default)s)")
    runs = parser.parse_args().n
    with own_stacker() as stacker:
        # a stack that stays, so that the supervisor runs throughout
        stacker.up(stack_of(1, name="stays"))
        for count, limit in LIMITS.items():
            measured = median_of(lambda count=count: up_time(stacker, count), runs)
            row(f"up of {count} containers", measured, limit=f"limit {limit} s")


if __name__ == "__main__":
    main()
