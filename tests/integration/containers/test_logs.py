"""Reading logs: the last lines, since a time, following across rotation, what is lost."""

from __future__ import annotations

import time

import anyio
import pytest

from runtime.wire.lines import Lines
from stacker.plan.container_specs import LogOptions

from .conftest import Place, read_lines, wait_until

pytestmark = pytest.mark.root


async def test_follow_across_rotation_loses_and_doubles_nothing(place: Place) -> None:
    """Segments are small; the reader is as quick as the writer, as long as all are kept."""
    async with place.open() as containers:
        launch = place.shell("seq 30000", log=LogOptions(max_size=20_000, max_files=100))
        lines, found = Lines(), b""

        async def follow() -> None:
            nonlocal found
            async for frames in containers.logs(
                launch.container_id, tail=None, since=None, follow=True
            ):
                found += b"".join(content for _, _, content in lines.feed(frames))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow)
            await containers.start(launch)
            await wait_until(lambda: found.endswith(b"\n30000\n"))
            tasks.cancel_scope.cancel()
        assert found == b"".join(b"%d\n" % number for number in range(1, 30001))
        directory = place.base / "root" / "containers" / launch.container_id / "logs"
        assert len(list(directory.iterdir())) > 5


@pytest.mark.parametrize("tail", [0, 1, 7, 4999, 5000, 6000])
async def test_last_lines(place: Place, tail: int) -> None:
    async with place.open() as containers:
        launch = place.shell("seq 5000", log=LogOptions(max_size=8_000, max_files=100))
        await containers.start(launch)
        await containers.wait(launch.container_id)
        lines = await read_lines(containers, launch.container_id, tail=tail)
        assert lines == [b"%d" % number for number in range(1, 5001)][5000 - min(tail, 5000) :]


async def test_since(place: Place) -> None:
    async with place.open() as containers:
        launch = place.shell("echo early; read x; echo late", stdin_open=True)
        await containers.start(launch)

        async def is_early() -> bool:
            return await read_lines(containers, launch.container_id) == [b"early"]

        await wait_until(is_early)
        since = time.time()
        attachment = await containers.attach(launch.container_id)
        await attachment.write(b"\n")
        await attachment.aclose()
        await containers.wait(launch.container_id)
        assert await read_lines(containers, launch.container_id, since=since) == [b"late"]


async def test_disk_use_is_bounded_and_neighbours_are_not_kept_waiting(place: Place) -> None:
    async with place.open() as containers:
        options = LogOptions(max_size=1_000_000, max_files=3)
        flood = place.shell("exec yes", log=options)
        await containers.start(flood)
        quiet = place.shell("echo here; exec sleep 1000")
        await containers.start(quiet)

        async def is_heard() -> bool:
            return await read_lines(containers, quiet.container_id) == [b"here"]

        await wait_until(is_heard, within_s=2)
        directory = place.base / "root" / "containers" / flood.container_id / "logs"
        await wait_until(lambda: max(int(f.stem) for f in directory.iterdir()) > 20)
        assert sum(file.stat().st_size for file in directory.iterdir()) <= 3_000_000
