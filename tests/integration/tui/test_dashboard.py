"""The dashboard on a real supervisor: what it shows, what its keys do, and how it goes."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest

from stacker.client.api import Supervisor
from stacker.tui.app import Dashboard
from stacker.tui.widgets.details_view import DetailsView
from tests.integration.tui.seeing import pane, status, table, until
from tests.support.supervisor import IMAGE, Stacker, eventually

pytestmark = pytest.mark.root

STACK = f"""
name: shop
services:
  web:
    image: {IMAGE}
    command:
      - sh
      - -c
      - |
        echo "hello from $$(hostname)"
        i=0
        while true; do i=$$((i+1)); echo "line $$i"; sleep 0.1; done
    init: true
    hostname: web
    stop_grace_period: 1s
    deploy: {{resources: {{limits: {{memory: 48M, cpus: "0.5"}}}}}}
  idle:
    image: {IMAGE}
    command: [sleep, "100000"]
    init: true
"""


def dashboard(stacker: Stacker) -> Dashboard:
    return Dashboard(Supervisor(str(stacker.run / "api/stacker.sock")))


def row(app: Dashboard, name: str) -> str:
    """The table's line about a service."""
    return next((line for line in table(app).splitlines() if f" {name} " in line), "")


async def test_from_the_first_look_to_the_last_key(stacker: Stacker) -> None:
    stacker.up(STACK)
    app = dashboard(stacker)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "2 containers, 2 up" in status(app))
        await until(pilot, lambda: "48MiB" in row(app, "web") and "%" in row(app, "web"))

        await pilot.press("slash", *"web", "enter")
        await until(pilot, lambda: row(app, "web") and not row(app, "idle"))
        await pilot.press("escape")
        await until(pilot, lambda: row(app, "idle"))

        await pilot.press("j")
        await until(pilot, lambda: "line " in pane(app, "logs"))
        await pilot.press("enter", "slash", *"hello", "enter")
        await until(pilot, lambda: "hello from web" in pane(app, "logs"))
        assert "line " not in pane(app, "logs")
        await pilot.press("escape", "escape", "d")
        facts = app.query_one(DetailsView)
        await until(pilot, lambda: any("48MiB of memory" in fact.value for fact in facts.facts))

        await pilot.press("s", "y")
        await until(pilot, lambda: "exited" in row(app, "web"))
        assert stacker.containers()["shop-web-1"]["status"] == "exited"
        await pilot.press("S")
        await until(pilot, lambda: " up " in row(app, "web"))
        await pilot.press("e")
        await until(pilot, lambda: "shop-web-1 runs" in pane(app, "events"))
        await pilot.press("q")
    assert stacker.containers()["shop-idle-1"]["status"] == "running"


async def test_goes_on_when_the_supervisor_comes_back(stacker: Stacker) -> None:
    stacker.up(STACK)
    app = dashboard(stacker)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: row(app, "web"))
        await pilot.press("j")
        await until(pilot, lambda: "line " in pane(app, "logs"))
        os.kill(stacker.supervisor_pid(), signal.SIGKILL)
        await until(pilot, lambda: "trying again" in status(app))
        again = stacker.start("daemon", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            await until(pilot, lambda: "2 containers, 2 up" in status(app))
            newest = _newest(app)
            await until(pilot, lambda: _newest(app) > newest + 10)
            lines = [line.strip() for line in pane(app, "logs").splitlines() if "line" in line]
            numbers = [int(line.split()[-1]) for line in lines]
            assert numbers == list(range(numbers[0], numbers[-1] + 1)), "lost or doubled lines"
        finally:
            again.send_signal(signal.SIGTERM)
            again.wait(20)
    stacker.ok("ps")


def _newest(app: Dashboard) -> int:
    lines = [line for line in pane(app, "logs").splitlines() if "line " in line]
    return int(lines[-1].split()[-1]) if lines else 0


def test_in_a_terminal_a_shell_opens_and_q_quits_at_once(stacker: Stacker) -> None:
    stacker.up(STACK)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(sys.executable, stacker.command("ui"), {**stacker.env(), "TERM": "xterm"})
    try:
        _expect(terminal, b"idle")
        os.write(terminal, b"x")
        _expect(terminal, b"/ # ")
        os.write(terminal, b"echo $((6 * 7)) by $(hostname)\r")
        _expect(terminal, b"42 by")
        os.write(terminal, b"exit\r")
        _expect(terminal, b"quit")
        begun = time.monotonic()
        os.write(terminal, b"q")
        assert eventually(lambda: os.waitpid(pid, os.WNOHANG)[0] or _drained(terminal)) == pid
        # measured: 0.3 s; a thread that is waited for would take as long as its connection
        assert time.monotonic() - begun < 5
        pid = 0
    finally:
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(terminal)


def _expect(terminal: int, wanted: bytes) -> None:
    seen = b""
    deadline = time.monotonic() + 20
    while wanted not in seen:
        left = deadline - time.monotonic()
        assert left > 0, f"{wanted!r} was not seen in {seen[-4000:]!r}"
        if select.select([terminal], [], [], left)[0]:
            seen += os.read(terminal, 65536)


def _drained(terminal: int) -> int:
    """Read what is there, so that the other side is not held up writing it; return 0."""
    try:
        if select.select([terminal], [], [], 0)[0]:
            os.read(terminal, 65536)
    except OSError:
        pass  # EIO: the other side has closed it
    return 0
