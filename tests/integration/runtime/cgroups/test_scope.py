"""Containers as scopes of systemd: the real one, or a small one behind a real dbus-daemon."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from runtime.cgroups.detect import detect
from runtime.cgroups.open import open_cgroup, stored_cgroup
from runtime.cgroups.systemd.address import Endpoint
from runtime.cgroups.systemd.bus import BUS, Bus, BusFault
from runtime.cgroups.systemd.manager import Manager
from runtime.cgroups.systemd.marshal import Variant
from runtime.errors import NotSupported, StateConflict
from tests.integration.runtime.conftest import Bundle, Runtime, wait_until
from tests.support.supervisor import REPOSITORY

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
]

REAL = Path("/run/systemd/system").is_dir()
# what the system's bus allows (dbus-daemon(1)), and the name to anybody
CONFIG = """<busconfig><type>system</type><listen>unix:path={socket}</listen>
<policy context="default"><allow user="*"/><allow own="*"/>
<allow send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true" send_type="method_return"/>
<allow send_requested_reply="true" send_type="error"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/>
<allow receive_type="error"/><allow receive_type="signal"/></policy></busconfig>"""


@dataclass
class Host:
    """Where systemd, small or real, is spoken to."""

    slice: str
    journal: Path | None

    def calls(self, member: str) -> list[list]:
        assert self.journal is not None
        lines = (json.loads(line) for line in self.journal.read_text().splitlines())
        return [body for name, body in lines if name == member]


def fake(mode: str, socket: str, top: str, journal: Path) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "tests.fakes.systemd", mode, socket, top, journal]
    return subprocess.Popen(argv, cwd=REPOSITORY)


@pytest.fixture(params=["bus", "real"])
def host(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Host]:
    name = f"stackertest{os.getpid()}.slice"
    if request.param == "real":
        if not REAL:
            pytest.skip("PID 1 of this host is not systemd")
        yield Host(slice=name, journal=None)
        subprocess.run(["systemctl", "stop", name], check=False)
        return
    if shutil.which("dbus-daemon") is None:
        pytest.skip("dbus is not installed")
    socket, journal, top = str(tmp_path / "bus"), tmp_path / "journal", f"/fake-{os.getpid()}"
    (tmp_path / "bus.conf").write_text(CONFIG.format(socket=socket))
    daemon = subprocess.Popen(
        ["dbus-daemon", f"--config-file={tmp_path}/bus.conf", "--nofork", "--nopidfile"]
    )
    started = [daemon]
    try:
        wait_until(lambda: os.path.exists(socket))
        started.append(fake("bus", socket, top, journal))
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={socket}")
        wait_until(lambda: has_owner(socket))
        yield Host(slice=name, journal=journal)
    finally:
        for process in started:
            process.terminate()
            process.wait()
        open_cgroup(top).remove()


def has_owner(socket: str) -> bool:
    bus = Bus(Endpoint(socket, is_bus=True))
    try:
        return bus.call(BUS, "NameHasOwner", "s", "org.freedesktop.systemd1") == (True,)
    finally:
        bus.close()


@pytest.fixture
def sleeper() -> Iterator[int]:
    process = subprocess.Popen(["sleep", "600"])
    yield process.pid
    process.kill()
    process.wait()


def test_a_scope_is_made_limited_and_taken_away(host: Host, sleeper: int) -> None:
    cgroup = open_cgroup(f"{host.slice}:p:life", identity="life", manager="systemd")
    assert cgroup.late
    assert cgroup.open_unified() is None
    resources = {"pids": {"limit": 7}, "memory": {"limit": 64 << 20}}
    cgroup.create(sleeper, resources)
    assert not cgroup.late
    assert cgroup.apply(resources) == []
    assert cgroup.pids() == [sleeper]
    lines = Path(f"/proc/{sleeper}/cgroup").read_text().splitlines()
    assert all(line.endswith(f"/{host.slice}/p-life.scope") for line in lines)
    holder = detect().holder("pids")
    if holder is not None:
        place = cgroup.legacy["pids"] if holder.version == 1 else cgroup.unified
        assert Path(f"{place}/pids.max").read_text() == "7\n"
        again = stored_cgroup(cgroup.to_json())
        again.apply({"pids": {"limit": 9}})
        assert Path(f"{place}/pids.max").read_text() == "9\n"
    stored_cgroup(cgroup.to_json()).kill()
    os.waitid(os.P_PID, sleeper, os.WEXITED | os.WNOWAIT)
    stored_cgroup(cgroup.to_json()).remove()
    assert not any(Path(directory).exists() for directory in cgroup.directories)
    if host.journal is not None:
        [(unit, mode, properties, _)] = host.calls("StartTransientUnit")
        values = dict(properties)
        assert (unit, mode, values["Slice"]) == ("p-life.scope", "fail", host.slice)
        assert values["TasksMax"] == 7
        assert values["PIDs"] == [sleeper]
        assert len(host.calls("StopUnit")) == 1
        assert host.calls("SetUnitProperties")[0][2] == [["TasksMax", 9]]


def test_a_unit_that_failed_is_forgotten_first(host: Host, sleeper: int) -> None:
    cgroup = open_cgroup(f"{host.slice}:p:stale", identity="stale", manager="systemd")
    cgroup.create(sleeper, {})
    if host.journal is not None:
        assert host.calls("ResetFailedUnit") == [["p-stale.scope"]]
    cgroup.kill()
    os.waitid(os.P_PID, sleeper, os.WEXITED | os.WNOWAIT)
    cgroup.remove()


def test_a_scope_that_is_there_is_not_taken_over(host: Host, sleeper: int) -> None:
    def opened():
        return open_cgroup(f"{host.slice}:p:twice", identity="twice", manager="systemd")

    first, second = opened(), opened()
    first.create(sleeper, {})
    with pytest.raises(StateConflict, match="has processes already"):
        second.create(sleeper, {})
    second.remove()
    assert first.pids() == [sleeper]
    first.kill()
    os.waitid(os.P_PID, sleeper, os.WEXITED | os.WNOWAIT)
    first.remove()


def test_a_container_from_create_to_delete(
    host: Host, runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    bundle.config["linux"]["cgroupsPath"] = f"{host.slice}:p:{identity}"
    bundle.config["linux"]["resources"] = {"pids": {"limit": 50}}
    bundle.write("/bin/sleep", "600")
    runtime.ok("--systemd-cgroup", "run", "-d", "-b", str(bundle.path), identity)
    pid = runtime.state(identity)["pid"]
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    assert all(line.endswith(f"/{host.slice}/p-{identity}.scope") for line in lines)
    runtime.ok("exec", identity, "/bin/true")
    runtime.ok("pause", identity)
    runtime.ok("resume", identity)
    runtime.ok("kill", identity, "KILL")
    runtime.await_status(identity, "stopped")
    runtime.ok("delete", identity)


def test_systemds_own_socket_has_no_names(tmp_path: Path, sleeper: int) -> None:
    socket, journal, top = str(tmp_path / "private"), tmp_path / "journal", f"/own-{os.getpid()}"
    systemd = fake("private", socket, top, journal)
    try:
        wait_until(lambda: os.path.exists(socket))
        with Manager([Endpoint(socket, is_bus=False)]) as manager:
            assert manager.control_group() == top
            manager.stop("absent.scope")
            manager.reset_failed("absent.scope")
            with pytest.raises(BusFault, match="not loaded") as refused:
                manager.update("absent.scope", [])
            assert refused.value.name == "org.freedesktop.systemd1.NoSuchUnit"
            properties = [("Slice", Variant("s", "own.slice")), ("PIDs", Variant("au", [sleeper]))]
            manager.start("own.scope", properties)
            os.kill(sleeper, signal.SIGKILL)
            os.waitid(os.P_PID, sleeper, os.WEXITED | os.WNOWAIT)
            manager.stop("own.scope")
        assert json.loads(journal.read_text().splitlines()[0])[0] == "Get"
    finally:
        systemd.send_signal(signal.SIGTERM)
        systemd.wait()
        open_cgroup(top).remove()


def test_no_systemd_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    with pytest.raises(NotSupported, match=r"linux\.cgroupsPath: no systemd answers"):
        open_cgroup("a.slice:p:n", identity="n", manager="systemd")
