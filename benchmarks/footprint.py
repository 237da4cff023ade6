"""Memory of supervisor and monitor, and idle processor time, with 50 containers."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from bench import Stacker, own_stacker, stack_of

TICKS = os.sysconf("SC_CLK_TCK")


def processes(stacker: Stacker) -> dict[str, int]:
    """Pids of the supervisor and of the monitor of this run directory."""
    found = {"supervisor": stacker.supervisor_pid()}
    for entry in os.listdir("/proc"):
        try:
            command = Path("/proc", entry, "cmdline").read_bytes()
        except OSError:
            continue
        if b"runtime.monitor" in command and str(stacker.run).encode() in command:
            found["monitor"] = int(entry)
    return found


def memory_mb(pid: int) -> tuple[float, float]:
    """RSS and PSS."""
    fields = dict(
        line.split(":", 1)
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    )
    rss, pss = (int(fields[name].split()[0]) / 1024 for name in ("Rss", "Pss"))
    return rss, pss


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="of idling (%(default)s)")
    seconds = parser.parse_args().seconds
    with own_stacker() as stacker:
        totals: dict[int, float] = {}
        for count in (10, 50):
            stacker.up(stack_of(count))
            time.sleep(2)  # let the last writes and the collector settle
            found = processes(stacker)
            rss = pss = 0.0
            for name, pid in found.items():
                own_rss, own_pss = memory_mb(pid)
                print(
                    f"{count} containers: {name:<10} RSS {own_rss:6.1f} MB   PSS {own_pss:6.1f} MB"
                )
                rss, pss = rss + own_rss, pss + own_pss
            print(
                f"{count} containers: together   RSS {rss:6.1f} MB   PSS {pss:6.1f} MB"
                "   (at most 120, 80)"
            )
            totals[count] = pss
        print(
            f"each further container: {(totals[50] - totals[10]) / 40:.3f} MB PSS   (at most 0.1)"
        )

        before = {name: cpu_s(pid) for name, pid in found.items()}
        time.sleep(seconds)
        for name, pid in found.items():
            share = (cpu_s(pid) - before[name]) / seconds * 100
            print(f"idle {name:<10} {share:.3f} % of a core   (at most 0.2)")


if __name__ == "__main__":
    main()
