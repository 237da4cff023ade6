"""How long `stacker up -d --wait` takes for 1, 10 and 50 containers, image present; and `down`.

The peers' figures are not of this run: they were measured on a machine of this kind (2 cores,
Linux 6.18, Debian 12's docker-compose 1.29 with dockerd 20.10, podman 4.3), see docs/benchmarks.md.
"""

from __future__ import annotations

import argparse

from bench import Stacker, median_of, own_stacker, row, stack_of, timed

LIMITS = {1: 0.25, 10: 0.5, 50: 2.0}
DOCKER_UP = {1: 0.95, 10: 3.13, 50: 8.67}
DOCKER_DOWN = {1: 0.80, 10: 1.73, 50: 4.54}
PODMAN_KUBE_UP = {1: 0.29, 10: 1.30, 50: 4.08}


def up_time(stacker: Stacker, count: int, down: list[float]) -> float:
    """Seconds of `up`; those of `down -t 0` go to ``down``."""
    path = str(stacker.write(stack_of(count), f"bench-{count}.yaml"))
    took = timed(lambda: stacker.ok("up", "-d", "--wait", path))
    down.append(timed(lambda: stacker.ok("down", "-t", "0", "-p", "bench")))
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=5, help="counted runs (%(default)s)")
    runs = parser.parse_args().n
    with own_stacker() as stacker:
        # a stack that stays, so that the supervisor runs throughout
        stacker.up(stack_of(1, name="stays"))
        for count, limit in LIMITS.items():
            down: list[float] = []
            measured = median_of(lambda: up_time(stacker, count, down), runs)  # noqa: B023
            row(
                f"up of {count} containers",
                measured,
                limit=f"at most {limit} s; reference: docker-compose {DOCKER_UP[count]},"
                f" podman play kube {PODMAN_KUBE_UP[count]}",
            )
            counted = sorted(down[1:])  # the first was median_of's warm-up
            row(
                f"down of {count} containers",
                (counted[len(counted) // 2], counted[0], counted[-1]),
                limit=f"reference: docker-compose {DOCKER_DOWN[count]}",
            )


if __name__ == "__main__":
    main()
