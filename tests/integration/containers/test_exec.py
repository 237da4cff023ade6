"""Processes in running containers: streams, terminals, users, time limits."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from stacker.base.errors import Conflict, Failed, Invalid
from stacker.drivers.containers.containers import Containers
from stacker.drivers.containers.session import Session
from stacker.plan.container_specs import ExecRequest

from .conftest import Place, wait_until

pytestmark = pytest.mark.root


@asynccontextmanager
async def sleeper(place: Place) -> AsyncIterator[tuple[Containers, str]]:
    async with place.open() as containers:
        launch = place.shell("exec sleep 1000")
        await containers.start(launch)
        yield containers, launch.container_id


def cgroup_of(place: Place, container_id: str) -> Path:
    return Path("/sys/fs/cgroup/pids") / place.cgroup / container_id[:12]


def running_in(cgroup: Path) -> list[str]:
    """Return the command lines of all in it that are no zombies, whose line is empty."""
    found: list[str] = []
    for pid in (cgroup / "cgroup.procs").read_text().split():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found.append(Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip())
    return [line for line in found if line]


async def collect(session: Session) -> tuple[bytes, bytes]:
    found = {1: b"", 2: b""}
    while (received := await session.read())[0]:
        found[received[0]] += received[1]
    return found[1], found[2]


async def test_streams_and_code(each_place: Place) -> None:
    async with sleeper(each_place) as (containers, container_id):
        request = ExecRequest(
            args=("sh", "-c", "echo $MARK $MORE; echo bad >&2; exit 9"), env=("MORE=more",)
        )
        session = await containers.exec(container_id, request)
        assert await collect(session) == (b"own more\n", b"bad\n")
        assert await session.wait() == 9
        await session.aclose()


async def test_input_of_any_size(each_place: Place) -> None:
    async with sleeper(each_place) as (containers, container_id):
        session = await containers.exec(container_id, ExecRequest(args=("cat",), stdin=True))
        sent = bytes(range(256)) * 4096
        received = b""

        async def receive() -> None:
            nonlocal received
            received, _ = await collect(session)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(receive)
            await session.write(sent)
            await session.close_stdin()
        assert received == sent
        assert await session.wait() == 0
        await session.aclose()


async def test_terminal_and_its_size(each_place: Place) -> None:
    async with sleeper(each_place) as (containers, container_id):
        request = ExecRequest(
            args=("sh", "-c", "stty size; read x; stty size; echo got $x; exit 5"),
            tty=True,
            rows=33,
            columns=77,
        )
        session = await containers.exec(container_id, request)
        assert b"33 77" in (await session.read())[1]
        await session.resize(44, 99)
        await session.write(b"hello\r")
        output, _ = await collect(session)
        assert b"44 99" in output
        assert b"got hello" in output
        assert await session.wait() == 5
        await session.aclose()


async def test_end_of_input_on_a_terminal(each_place: Place) -> None:
    async with sleeper(each_place) as (containers, container_id):
        session = await containers.exec(container_id, ExecRequest(args=("cat",), tty=True))
        await session.write(b"abc\r")
        await session.close_stdin()
        output, _ = await collect(session)
        assert output.count(b"abc") == 2
        assert await session.wait() == 0
        await session.aclose()


async def test_user_by_name(place: Place) -> None:
    async with sleeper(place) as (containers, container_id):
        result = await containers.run(container_id, ("id",), timeout_s=10, user="bob")
        assert result.output.startswith("uid=1000(bob) gid=1000")
        with pytest.raises(Invalid, match="no such user"):
            await containers.run(container_id, ("id",), timeout_s=10, user="alice")


async def test_probe_is_killed_at_its_timeout_with_what_it_started(each_place: Place) -> None:
    async with sleeper(each_place) as (containers, container_id):
        before = time.monotonic()
        script = "echo begun; sleep 987 & sleep 986"
        result = await containers.run(container_id, ("sh", "-c", script), timeout_s=0.3)
        assert time.monotonic() - before < 5
        assert (result.timed_out, result.code, result.output) == (True, 137, "begun\n")
        await wait_until(lambda: running_in(cgroup_of(each_place, container_id)) == ["sleep 1000"])


async def test_output_of_a_probe_is_bounded(place: Place) -> None:
    async with sleeper(place) as (containers, container_id):
        result = await containers.run(container_id, ("seq", "100000"), timeout_s=10)
        assert result.code == 0
        assert len(result.output) == 4096
        assert result.output.endswith("\n100000\n")


async def test_probe_whose_child_holds_its_output_ends(place: Place) -> None:
    async with sleeper(place) as (containers, container_id):
        result = await containers.run(
            container_id, ("sh", "-c", "sleep 1000 & echo done; exit 3"), timeout_s=10
        )
        assert (result.code, result.output, result.timed_out) == (3, "done\n", False)


async def test_command_that_is_not_there(each_place: Place) -> None:
    async with sleeper(each_place) as (containers, container_id):
        with pytest.raises(Failed, match="absent"):
            await containers.exec(container_id, ExecRequest(args=("absent",)))
        with pytest.raises(Invalid, match="no command"):
            await containers.exec(container_id, ExecRequest(args=()))
        assert not list((each_place.run / "containers" / container_id).glob("exec*"))


async def test_closing_a_session_kills_its_process(place: Place) -> None:
    async with sleeper(place) as (containers, container_id):
        session = await containers.exec(container_id, ExecRequest(args=("sleep", "1000")))
        await session.aclose()
        await wait_until(lambda: running_in(cgroup_of(place, container_id)) == ["sleep 1000"])


async def test_ended_container_takes_no_exec(place: Place) -> None:
    async with place.open() as containers:
        launch = place.shell("true")
        await containers.start(launch)
        await containers.wait(launch.container_id)
        with pytest.raises(Conflict, match="does not run"):
            await containers.exec(launch.container_id, ExecRequest(args=("true",)))
