"""kill -9 of the supervisor, of the monitor, of both: nobody in a container notices.

CI takes a seeded sample; STACKER_SOAK=1 the full counts of the issue (100 supervisors, 1,000
containers).
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from stacker.drivers.containers.containers import Containers
from stacker.plan.container_specs import LogOptions, Started

from .conftest import Place, read_lines, wait_until
from .supervising import code_of, container_id

pytestmark = [pytest.mark.root, pytest.mark.soak]

SOAK = os.environ.get("STACKER_SOAK") == "1"
KILLS = 100 if SOAK else 8
STARTS = 25 if SOAK else 10
"""At most, for each supervisor: it is killed after a random number of them."""
SEEN = 1000 if SOAK else KILLS
MONITOR_KILLS = 50 if SOAK else 5
LINES = 2_000_000 if SOAK else 200_000

WRITER = f"i=0; while [ $i -lt {LINES} ]; do echo line $i; i=$((i+1)); done; exit 42"


async def numbered(containers: Containers, container_id: str) -> None:
    """The lines are line 0, line 1, ... without gap or repetition."""
    lines = await read_lines(containers, container_id)
    assert lines == [b"line %d" % number for number in range(len(lines))]
    assert len(lines) == LINES


def killed_supervisor(place: Place, first: int, chance: random.Random) -> list[int]:
    """Run a supervisor, kill it at some moment, and return the starts it has reported."""
    process = subprocess.Popen(
        [
            sys.executable,
            str(Path(__file__).with_name("supervising.py")),
            str(place.base),
            place.runtime,
            str(first),
            str(STARTS),
        ],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(1 + chance.randrange(STARTS))]
    process.send_signal(signal.SIGKILL)
    said += process.stdout.read().splitlines(keepends=True)
    process.wait()
    process.stdout.close()
    assert said[0] == b"open\n"
    return [int(line) for line in said[1:] if line.endswith(b"\n")]


@pytest.mark.timeout(1200 if SOAK else 120)
async def test_supervisor_is_killed_again_and_again(place: Place) -> None:
    chance = random.Random(20)
    writer = place.shell(WRITER, log=LogOptions(max_size=1 << 30))
    template = json.dumps(place.spec("@ID", "/bin/true"))
    (place.base / "template.json").write_text(template)
    async with place.open() as containers:
        started = await containers.start(writer)
        monitor = containers.monitor_pid

    reported: list[int] = []
    for turn in range(KILLS):
        place.ids += [container_id(turn * STARTS + n) for n in range(STARTS)]
        reported += await anyio.to_thread.run_sync(killed_supervisor, place, turn * STARTS, chance)

    async with place.open() as containers:
        assert containers.monitor_pid == monitor
        assert len(reported) >= SEEN
        for number in reported:
            ended = await containers.wait(container_id(number))
            assert (ended.code, ended.signal) == (code_of(number), None)
            assert await read_lines(containers, container_id(number)) == [b"%d" % number]
        # a start that nobody was told of has happened whole, or not at all
        for key, process in (await containers.observe()).items():
            known = {container_id(n): code_of(n) for n in range(KILLS * STARTS)}
            if key in known:
                ended = await containers.wait(key)
                assert ended.code == known[key]
            else:
                assert (process.pid, process.start_time) == (started.pid, started.start_time)
        assert (await containers.wait(writer.container_id)).code == 42
        await numbered(containers, writer.container_id)


@pytest.mark.timeout(600 if SOAK else 120)
async def test_monitor_is_killed_again_and_again(each_place: Place) -> None:
    place = each_place
    async with place.open() as containers:
        writer = place.shell(WRITER, log=LogOptions(max_size=1 << 30))
        quiet = place.shell("trap 'exit 7' TERM; while :; do sleep 0.05; done")
        talker = place.shell("read x; echo got $x; exit 3", terminal=True, stdin_open=True)
        before = {one.container_id: await containers.start(one) for one in (writer, quiet, talker)}
        for _ in range(MONITOR_KILLS):
            await kill_monitor(containers)
            for key, process in (await containers.observe()).items():
                if process.running:
                    assert Started(pid=process.pid, start_time=process.start_time) == before[key]
                assert key == writer.container_id or process.running

        attachment = await containers.attach(talker.container_id)
        await attachment.write(b"hello\r")
        await attachment.aclose()
        assert (await containers.wait(talker.container_id)).code == 3
        assert (await read_lines(containers, talker.container_id))[-1] == b"got hello"
        await containers.signal(quiet.container_id, signal.SIGTERM)
        assert (await containers.wait(quiet.container_id)).code == 7
        assert (await containers.wait(writer.container_id)).code == 42
        await numbered(containers, writer.container_id)


async def test_container_ends_while_no_monitor_runs(place: Place) -> None:
    async with place.open() as containers:
        script = "trap 'echo last; exit 9' TERM; echo trapped; while :; do sleep 0.02; done"
        launch = place.shell(script)
        started = await containers.start(launch)
        # before that, the first process of a pid namespace ignores the signal for ever
        await until_written(containers, launch.container_id, b"trapped")
        pid = containers.monitor_pid
        assert pid is not None
        os.kill(started.pid, signal.SIGSTOP)
        os.kill(started.pid, signal.SIGTERM)
        os.kill(pid, signal.SIGKILL)
        os.kill(started.pid, signal.SIGCONT)
        assert (await containers.wait(launch.container_id)).code == 9
        assert await read_lines(containers, launch.container_id) == [b"trapped", b"last"]


async def test_both_are_killed_and_nobody_knows_the_end(place: Place) -> None:
    """What no witness saw is unknown, never 0."""
    async with place.open() as containers:
        launch = place.shell("echo here; sleep 1000")
        started = await containers.start(launch)
        await until_written(containers, launch.container_id, b"here")
        pid = containers.monitor_pid
        assert pid is not None
        # while this supervisor cannot run, and its monitor is dead, the container ends
        os.kill(pid, signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    os.kill(started.pid, signal.SIGKILL)
    await wait_until(lambda: not Path(f"/proc/{started.pid}").exists())
    async with place.open() as containers:
        ended = await containers.wait(launch.container_id)
        assert (ended.running, ended.code, ended.signal) == (False, None, None)
        assert await read_lines(containers, launch.container_id) == [b"here"]


async def until_written(containers: Containers, container_id: str, *lines: bytes) -> None:
    async def written() -> bool:
        return await read_lines(containers, container_id) == list(lines)

    await wait_until(written)


async def kill_monitor(containers: Containers) -> None:
    """Kill it and wait until another is connected."""
    pid = containers.monitor_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await wait_until(lambda: containers.monitor_pid not in (None, pid))
