"""What somebody, or a disk, does behind stacker's back: no container pays for it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.supervisor import IMAGE, Stacker, eventually

pytestmark = pytest.mark.root

PAIR = f"""
name: pair
services:
  a:
    image: {IMAGE}
    command: [sleep, infinity]
    init: true
    restart: always
    stop_grace_period: 1s
  b:
    image: {IMAGE}
    command: [httpd, -f, -p, "80", -h, /etc]
    init: true
    restart: always
    stop_grace_period: 1s
    secrets: [token]
secrets:
  token: {{environment: TOKEN}}
"""
CANARY = "canary-5e1f"


@pytest.fixture
def pair(stacker: Stacker) -> Stacker:
    stacker.environment["TOKEN"] = CANARY
    stacker.up(PAIR)
    return stacker


def pids(stacker: Stacker) -> dict[str, int]:
    return {name: row["pid"] for name, row in stacker.containers("-p", "pair").items()}


def again(stacker: Stacker, between: Callable[[], None] = lambda: None) -> None:
    """Kill the supervisor, do something, and have the next one."""
    pid = stacker.supervisor_pid()
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: stacker.running_supervisor() is None, what="the supervisor's end")
    between()
    stacker.ok("up", "-d", "--wait", "stack.yaml")


def reaches(stacker: Stacker) -> bool:
    command = ("wget", "-q", "-O", "/dev/null", "http://b/passwd")
    return stacker("exec", "-T", "-p", "pair", "a", *command).returncode == 0


def junk(path: Path) -> None:
    path.write_bytes(random.Random(7).randbytes(700))


def cut(path: Path) -> None:
    os.truncate(path, 20)


@pytest.mark.parametrize("damage", [junk, cut])
def test_damaged_state_files_cost_no_container(
    pair: Stacker, damage: Callable[[Path], None]
) -> None:
    before = pids(pair)

    def everywhere() -> None:
        files = [pair.run / "networks.json", pair.run / "exits", pair.root / "events.sqlite"]
        files += pair.root.glob("containers/*/record.json")
        files += pair.root.glob("stacks/*.json")
        files += pair.run.glob("containers/*/launch.json")
        files += pair.run.glob("containers/*/cgroups.json")
        for file in files:
            damage(file)

    again(pair, everywhere)
    assert pids(pair) == before
    eventually(lambda: reaches(pair), what="a reaches b")


def test_lost_bundles_and_journal_leave_nothing_running_twice(pair: Stacker) -> None:
    before = pids(pair)

    def lose() -> None:
        for directory in (pair.run / "containers").iterdir():
            shutil.rmtree(directory)
        (pair.run / "exits").write_bytes(b"")

    again(pair, lose)
    assert all(pids(pair).values())
    for pid in before.values():
        eventually(lambda pid=pid: not _lives(pid), what="the end of those nobody knew")


def test_a_monitor_whose_socket_is_gone_is_found(pair: Stacker) -> None:
    before = pids(pair)
    again(pair, (pair.run / "monitor.sock").unlink)
    assert pids(pair) == before


def test_unmounted_roots_and_removed_layers_are_put_back(pair: Stacker) -> None:
    before = pids(pair)
    for directory in (pair.root / "containers").iterdir():
        subprocess.run(["umount", pair.run / "rootfs" / directory.name], check=True)
        shutil.rmtree(directory / "upper")
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    eventually(
        lambda: (
            (now := pids(pair)) and all(now.values()) and not set(now.values()) & {*before.values()}
        ),
        what="new processes",
    )
    eventually(lambda: reaches(pair), what="a reaches b")


def test_lost_networks_state_and_namespaces(pair: Stacker) -> None:
    before = pids(pair)

    def lose() -> None:
        (pair.run / "networks.json").unlink()
        for link in os.listdir("/sys/class/net"):
            if pair.tag in link:
                subprocess.run(["ip", "link", "delete", link], check=False, capture_output=True)

    again(pair, lose)
    eventually(lambda: reaches(pair), what="a reaches b")
    assert pids(pair) == before


def test_secrets_are_in_memory_alone_and_files_are_private(pair: Stacker) -> None:
    pair.ok("inspect", "b")
    for top in (pair.root, pair.run):
        for directory, names, files in os.walk(top):
            names[:] = [name for name in names if name not in ("contents", "rootfs", "layers")]
            if "upper" in Path(directory).parts or "work" in Path(directory).parts:
                continue
            for name in files:
                path = Path(directory, name)
                if not path.is_file() or path.parent.name in ("netns", ".seccomp"):
                    continue
                assert CANARY.encode() not in path.read_bytes(), path
                if "etc" not in path.parts[len(top.parts) :] and path.name not in ("init", "pid"):
                    assert path.stat().st_mode & 0o077 == 0, path
    assert CANARY not in pair.ok("inspect", "b") + pair.ok("events") + pair.ok("config")


def test_a_rejected_up_leaves_the_values_of_secrets(pair: Stacker) -> None:
    pair.environment["TOKEN"] = "another"
    bad = PAIR.replace("    secrets: [token]", "    secrets: [token]\n    ports: ['1:80', '1:80']")
    bad = bad.replace(f"image: {IMAGE}", "image: nowhere.invalid/none:1", 1)
    assert pair("up", "-d", "--wait", str(pair.write(bad, "bad.yaml"))).returncode != 0
    again(pair, lambda: pair.environment.pop("TOKEN"))
    assert pair.ok("exec", "-T", "-p", "pair", "b", "cat", "/run/secrets/token") == CANARY


def test_a_socket_that_is_in_the_way_leaves_nothing_mounted(stacker: Stacker) -> None:
    stacker.end()
    (stacker.run / "api/stacker.sock").unlink(missing_ok=True)
    (stacker.run / "api/stacker.sock").write_text("not a socket")
    done = stacker("up", "-d", str(stacker.write(PAIR)))
    assert done.returncode == 1
    assert "is in the way" in done.stderr
    eventually(lambda: str(stacker.run) not in Path("/proc/self/mountinfo").read_text())
    (stacker.run / "api/stacker.sock").unlink()


def test_stacks_share_no_network_but_an_external_one(stacker: Stacker) -> None:
    def stack(name: str, network: str) -> Path:
        text = f"""
name: {name}
services:
  a: {{image: {IMAGE}, command: [sleep, infinity], init: true, networks: [n], volumes: ["v:/v"]}}
networks: {{n: {network}}}
volumes: {{v: {{name: shared}}}}
"""
        return stacker.write(text, f"{name}.yaml")

    stacker.ok("up", "-d", "--wait", str(stack("one", "{name: common}")))
    refused = stacker("up", "-d", "--wait", str(stack("two", "{name: common}")))
    assert refused.returncode == 1
    assert "network common belongs to stack one" in refused.stderr
    external = str(stack("two", "{name: common, external: true}"))
    stacker.ok("up", "-d", "--wait", external)
    _is_quiet(stacker)
    stacker.ok("down", "-v", "-p", "two", "-t", "0")
    assert (stacker.root / "volumes/shared/_data").is_dir()
    stacker.ok("down", "-v", "-p", "one", "-t", "0")
    assert not (stacker.root / "volumes/shared").exists()


def test_many_clients_at_once(stacker: Stacker) -> None:
    text = (
        f"name: NAME\nservices:\n  s: {{image: {IMAGE}, command: [sleep, infinity], init: true}}\n"
    )
    for number in range(4):
        stacker.write(text.replace("NAME", f"n{number % 2}"), f"{number}.yaml")
    script = "for i in 1 2 3 4; do $S up -d $1.yaml; $S down -t 0 -p n$(($1 % 2)); done; true"
    command = " ".join(stacker.command())
    clients = [
        subprocess.Popen(
            ["sh", "-c", script.replace("$S", command), "sh", str(number)],
            env=stacker.env(),
            cwd=stacker.directory,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for number in range(4)
    ]
    for client in clients:
        assert client.wait(timeout=60) == 0
    for name in ("n0", "n1"):
        stacker("down", "-t", "0", "-p", name)
    log = (stacker.run / "supervisor.log").read_text()
    assert "Traceback" not in log, log


def test_a_restart_ends_when_its_stack_goes(pair: Stacker) -> None:
    restart = pair.start("restart", "-t", "1", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pair.ok("down", "-t", "0", "-p", "pair")
    restart.wait(timeout=10)


def _is_quiet(stacker: Stacker) -> None:
    """The supervisor does nothing when there is nothing to do."""
    before = len(stacker.ok("events").splitlines())
    time.sleep(0.3)
    assert len(stacker.ok("events").splitlines()) - before < 5


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
