"""The monitor as a process: alone, small, closed to others, and its children shed what it holds."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
from pathlib import Path

import anyio
import pytest

from runtime.cgroups.detect import detect
from stacker.base.errors import StackerError
from stacker.drivers.containers.monitor_start import start_monitor

from .conftest import Place

pytestmark = pytest.mark.root


async def test_there_is_one(place: Place) -> None:
    async with place.open() as containers:
        assert await start_monitor(place.run, "test") is False
        async with place.open() as others:
            assert others.monitor_pid == containers.monitor_pid


async def test_its_socket_is_ours_alone(place: Place) -> None:
    async with place.open() as containers:
        described = (place.run / "monitor.sock").stat()
        assert stat.S_IMODE(described.st_mode) == 0o600
        assert stat.S_IMODE(place.run.stat().st_mode) == 0o700
        assert containers.monitor_pid is not None
        assert "monitor.sock" in sockets()
        assert not re.search(r"@.*(stacker|monitor)", sockets())


async def test_strange_packets_cost_their_sender_the_connection_only(place: Place) -> None:
    async with place.open() as containers:
        for packet in (b"{", b'{"id": 1, "kind": "list"}', b"\xff" * 1000):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
                connection.connect(str(place.run / "monitor.sock"))
                connection.send(packet)
                connection.settimeout(10)
                assert connection.recv(100) == b""
        launch = place.shell("exit 4")
        await containers.start(launch)
        assert (await containers.wait(launch.container_id)).code == 4


async def test_sigterm_does_not_end_it_while_a_container_runs(place: Place) -> None:
    async with place.open() as containers:
        launch = place.shell("exec sleep 1000")
        await containers.start(launch)
        pid = containers.monitor_pid
        assert pid is not None
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(pid, number)
        assert (await containers.run(launch.container_id, ("true",), timeout_s=10)).code == 0
        assert containers.monitor_pid == pid


async def test_nothing_of_others_is_reached_from_a_container(place: Place) -> None:
    """Every fd of a new container, of an exec and of their runtime is its own."""
    async with place.open() as containers:
        kept, other = os.pipe()
        await containers.fd_store.keep("secret", [kept])
        first = place.shell("exec sleep 1000", stdin_open=True)
        await containers.start(first)
        second = place.shell("ls -l /proc/self/fd; exec sleep 1000")
        started = await containers.start(second)
        own = str(place.run / "containers" / second.container_id)
        for target in open_files(started.pid):
            assert target == "/dev/null" or target.startswith(own)
        listed = await containers.run(
            second.container_id, ("ls", "-l", "/proc/self/fd"), timeout_s=10
        )
        targets = re.findall(r"(\d+) -> (\S+)", listed.output)
        others = [t for n, t in targets if int(n) > 2 and not re.fullmatch(r"/proc/\d+/fd", t)]
        assert others == []
        assert first.container_id not in listed.output
        os.close(kept)
        os.close(other)


async def test_kept_fds_survive_their_owner(place: Place) -> None:
    pairs = [os.pipe() for _ in range(150)]
    fds = [fd for pair in pairs for fd in pair]
    async with place.open() as containers:
        await containers.fd_store.keep("many", fds)
    for fd in fds:
        os.close(fd)
    async with place.open() as containers:
        fetched = await containers.fd_store.fetch("many")
        assert len(fetched) == 300
        os.write(fetched[1], b"through")
        assert os.read(fetched[0], 100) == b"through"
        for fd in fetched:
            os.close(fd)
        await containers.fd_store.drop("many")
        assert await containers.fd_store.fetch("many") == []


async def test_memory_of_a_further_container_is_small(place: Place) -> None:
    async with place.open() as containers:
        launches = [place.shell("exec sleep 1000") for _ in range(20)]
        await containers.start(launches[0])
        before = pss_kb(containers.monitor_pid)
        async with anyio.create_task_group() as tasks:
            for launch in launches[1:]:
                tasks.start_soon(containers.start, launch)
        grown = pss_kb(containers.monitor_pid) - before
        assert grown / 19 < 100


def sockets() -> str:
    return Path("/proc/net/unix").read_text()


def open_files(pid: int) -> list[str]:
    return [os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()]


def pss_kb(pid: int | None) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss_Dirty:\s+(\d+)", text, re.MULTILINE)
    assert found is not None
    return int(found.group(1))


async def test_a_host_without_room_for_a_process_costs_one_answer(place: Place) -> None:
    """fork fails: whoever asked is told, nothing stays open, and the next one is started."""
    pids = detect().holder("pids")
    assert pids is not None
    cgroup = Path(pids.mountpoint) / f"stacker-full-{os.getpid()}"
    async with place.open() as containers:
        monitor = containers.monitor_pid
        assert monitor is not None
        before = len(os.listdir(f"/proc/{monitor}/fd"))
        home = Path(pids.mountpoint + pids.own_path)
        cgroup.mkdir()
        try:
            (cgroup / "cgroup.procs").write_text(str(monitor))
            (cgroup / "pids.max").write_text("1")
            for options in ({"stdin_open": True}, {"terminal": True}):
                with pytest.raises(StackerError, match="temporarily unavailable"):
                    await containers.start(place.shell("exec sleep 1000", **options))
            assert len(os.listdir(f"/proc/{monitor}/fd")) == before
        finally:
            (home / "cgroup.procs").write_text(str(monitor))
            cgroup.rmdir()
        launch = place.shell("exit 4")
        await containers.start(launch)
        assert (await containers.wait(launch.container_id)).code == 4
