"""Start, end, signal, delete: with the built-in runtime, crun and runc."""

from __future__ import annotations

import signal

import anyio
import anyio.lowlevel
import pytest

from stacker.base.errors import Conflict, Failed, NotFound, Unsupported
from stacker.plan.container_specs import LogOptions

from .conftest import Place, read_lines, wait_until

pytestmark = pytest.mark.root


async def test_output_and_exit_code(each_place: Place) -> None:
    async with each_place.open() as containers:
        launch = each_place.shell("echo out; echo err >&2; exit 7")
        started = await containers.start(launch)
        process = await containers.wait(launch.container_id)
        assert (process.pid, process.start_time) == (started.pid, started.start_time)
        assert (process.running, process.code, process.signal) == (False, 7, None)
        assert process.at is not None
        assert sorted(await read_lines(containers, launch.container_id)) == [b"err", b"out"]


async def test_observe_delete_and_start_again(each_place: Place) -> None:
    async with each_place.open() as containers:
        launch = each_place.shell("echo once; exec sleep 1000")
        first = await containers.start(launch)
        seen = (await containers.observe())[launch.container_id]
        assert (seen.running, seen.pid, seen.code) == (True, first.pid, None)

        async def has_spoken(times: int) -> None:
            async def is_there() -> bool:
                return await read_lines(containers, launch.container_id) == [b"once"] * times

            await wait_until(is_there)

        await has_spoken(1)
        await containers.signal(launch.container_id, signal.SIGKILL, all=True)
        ended = await containers.wait(launch.container_id)
        assert (ended.code, ended.signal, ended.oom) == (137, 9, False)

        second = await containers.start(launch)
        assert (second.pid, second.start_time) != (first.pid, first.start_time)

        await has_spoken(2)
        await containers.delete(launch.container_id)
        assert await containers.observe() == {}
        await containers.delete(launch.container_id)
        assert await read_lines(containers, launch.container_id) == [b"once", b"once"]


async def test_terminal(each_place: Place) -> None:
    async with each_place.open() as containers:
        launch = each_place.shell("tty; read x; echo got $x", terminal=True, stdin_open=True)
        await containers.start(launch)
        attachment = await containers.attach(launch.container_id)
        await attachment.resize(50, 120)
        await attachment.write(b"hello\r")
        assert (await containers.wait(launch.container_id)).code == 0
        await attachment.aclose()
        lines = await read_lines(containers, launch.container_id)
        assert any(line.startswith(b"/dev/pts/") for line in lines)
        assert lines[-1] == b"got hello"


async def test_exits_are_told(place: Place) -> None:
    async with place.open() as containers:
        told: dict[str, int | None] = {}

        async def listen() -> None:
            async for ended in containers.exits():
                told[ended.container_id] = ended.process.code

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            await anyio.lowlevel.checkpoint()
            launches = [place.shell(f"exit {code}") for code in range(10)]
            for launch in launches:
                tasks.start_soon(containers.start, launch)
            await wait_until(lambda: len(told) == 10)
            tasks.cancel_scope.cancel()
        assert told == {launch.container_id: code for code, launch in enumerate(launches)}


async def test_open_input(place: Place) -> None:
    async with place.open() as containers:
        launch = place.shell("read x; echo got $x", stdin_open=True)
        await containers.start(launch)
        attachment = await containers.attach(launch.container_id)
        await attachment.write(b"hello\n")
        await containers.wait(launch.container_id)
        await attachment.aclose()
        assert await read_lines(containers, launch.container_id) == [b"got hello"]


async def test_out_of_memory_is_known(place: Place) -> None:
    async with place.open() as containers:
        launch = place.shell("exec dd if=/dev/zero of=/dev/null bs=100M count=1")
        await containers.start(launch)
        ended = await containers.wait(launch.container_id)
        assert (ended.signal, ended.oom) == (9, True)


async def test_failures_name_the_runtime_and_its_reason(each_place: Place) -> None:
    async with each_place.open() as containers:
        launch = each_place.launch("/bin/absent")
        with pytest.raises(Failed, match=r"absent"):
            await containers.start(launch)
        assert await containers.observe() == {}


async def test_what_is_not_there(place: Place) -> None:
    async with place.open() as containers:
        with pytest.raises(Unsupported, match="runtime nothing: command not found"):
            await containers.start(place.shell("true", runtime="nothing"))
        with pytest.raises(NotFound):
            await containers.wait("0" * 64)
        launch = place.shell("true")
        await containers.start(launch)
        await containers.wait(launch.container_id)
        with pytest.raises(Conflict, match="does not run"):
            await containers.stats(launch.container_id)


async def test_stats(place: Place) -> None:
    async with place.open() as containers:
        launch = place.shell("while :; do :; done")
        await containers.start(launch)
        first = await containers.stats(launch.container_id)
        assert first.memory_limit_bytes == 64 * 1024 * 1024
        assert (first.pids, first.pids_limit) == (1, 64)
        used = first.cpu_ns or 0

        async def has_worked() -> bool:
            return ((await containers.stats(launch.container_id)).cpu_ns or 0) > used

        await wait_until(has_worked)


async def test_no_logs_are_kept_when_none_are_wanted(place: Place) -> None:
    async with place.open() as containers:
        launch = place.shell("seq 100000", log=LogOptions(max_files=0))
        await containers.start(launch)
        assert (await containers.wait(launch.container_id)).code == 0
        assert await read_lines(containers, launch.container_id) == []
