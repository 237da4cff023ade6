"""Forms of the stack file whose effect shows only between containers, or on the host."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support.supervisor import IMAGE, Stacker, eventually

pytestmark = pytest.mark.root

IDLE = f"""
x-idle: &idle
  image: {IMAGE}
  command: [sleep, infinity]
  init: true
"""


def test_a_link_is_a_name_for_one(stacker: Stacker) -> None:
    stacker.up(f"""
name: linked
{IDLE}
services:
  db: *idle
  web:
    <<: *idle
    links: ["db:storage"]
""")
    address = stacker.containers()["linked-db-1"]["addresses"][0]["ipv4_address"]
    assert address in stacker.ok("exec", "web", "nslookup", "storage.")
    assert stacker("exec", "db", "nslookup", "storage.").returncode != 0


def test_shared_memory_is_shared(stacker: Stacker) -> None:
    stacker.up(f"""
name: memory
{IDLE}
services:
  owner:
    <<: *idle
    shm_size: 1m
  guest:
    <<: *idle
    ipc: service:owner
  stranger: *idle
""")
    stacker.ok("exec", "guest", "sh", "-c", "echo written > /dev/shm/note")
    assert stacker.ok("exec", "owner", "cat", "/dev/shm/note") == "written\n"
    assert "size=1024k" in stacker.ok("exec", "guest", "grep", "/dev/shm", "/proc/mounts")
    assert stacker("exec", "stranger", "cat", "/dev/shm/note").returncode != 0
    stacker.ok("down", "-t", "0", "-p", "memory")
    assert str(stacker.run / "shm") not in Path("/proc/mounts").read_text()


def test_whoever_shares_a_namespace_of_a_process_that_crashed_is_started_with_it(
    stacker: Stacker,
) -> None:
    stacker.up(f"""
name: sharing
{IDLE}
services:
  owner:
    <<: *idle
    restart: always
  debugger:
    <<: *idle
    init: false
    command: [sh, -c, "trap exit TERM; sleep infinity & wait"]
    pid: service:owner
  queue:
    <<: *idle
    ipc: service:owner
""")

    def share() -> bool:
        pids = {name: row["pid"] for name, row in stacker.containers().items()}
        return all(pids.values()) and all(
            os.readlink(f"/proc/{pids[f'sharing-{guest}-1']}/ns/{kind}")
            == os.readlink(f"/proc/{pids['sharing-owner-1']}/ns/{kind}")
            for guest, kind in (("debugger", "pid"), ("queue", "ipc"))
        )

    assert share()
    before = stacker.containers()
    for _ in range(2):
        killed = stacker.containers()["sharing-owner-1"]["pid"]
        os.kill(killed, signal.SIGKILL)
        eventually(
            lambda killed=killed: (
                stacker.containers()["sharing-owner-1"]["pid"] != killed and share()
            ),
            what="a new namespace, shared",
        )
    after = stacker.containers()
    assert all(after[name]["id"] == before[name]["id"] for name in before)
    assert after["sharing-queue-1"]["pid"] != before["sharing-queue-1"]["pid"]


def test_a_user_reads_directories_that_were_made_for_mounts(stacker: Stacker) -> None:
    stacker.up(f"""
name: readable
{IDLE}
services:
  web:
    <<: *idle
    user: "1000:1000"
    volumes: ["named:/named", "/nameless", "./made/for/it:/bound"]
volumes: {{named: }}
""")
    assert stacker.ok("exec", "web", "ls", "/named", "/nameless", "/bound")
    assert (stacker.directory / "made").stat().st_mode & 0o777 == 0o755


def test_up_does_not_wait_for_the_end_of_a_back_off(stacker: Stacker) -> None:
    path = stacker.write(f"""
name: failing
services:
  web:
    image: {IMAGE}
    command: [sh, -c, "echo tried; exit 3"]
    restart: always
    deploy: {{restart_policy: {{condition: any, delay: 300s}}}}
""")
    stacker.ok("up", "-d", str(path), timeout=30)
    assert "tried" in stacker.ok("logs", "-p", "failing")


def test_an_attached_up_stays_until_the_last_attempt(stacker: Stacker) -> None:
    stacker.write(f"""
name: trying
services:
  web:
    image: {IMAGE}
    command: [sh, -c, "echo tried; exit 3"]
    restart: on-failure:3
""")
    done = stacker("up", timeout=30)
    assert done.returncode == 0
    assert done.stdout.count("tried") == 4
    assert "trying-web-1 exited with 3\n" in done.stderr


def test_which_stack_is_meant_by_the_place_where_the_caller_stands(stacker: Stacker) -> None:
    text = IDLE + "services:\n  app: *idle\n"
    shop, other, nowhere = (stacker.directory / name for name in ("shop", "other", "nowhere"))
    for directory in (shop / "below", other, nowhere):
        directory.mkdir(parents=True)
    for directory in (shop, other):
        (directory / "stack.yaml").write_text(f"name: {directory.name}\n{text}")
    stacker.ok("up", "-d", cwd=shop)

    stopped = stacker("stop", cwd=other)
    assert (stopped.returncode, stopped.stdout) == (1, "")
    assert "no stack is declared from the directory" in stopped.stderr
    assert "nothing to take down" in stacker("down", cwd=other).stderr
    assert stacker.containers("-p", "shop")["shop-app-1"]["status"] == "running"
    stacker.ok("restart", "-t", "0", cwd=nowhere)  # there is no other that could be meant

    stacker.ok("up", "-d", cwd=other)
    stacker.ok("stop", "-t", "0", cwd=shop / "below")
    assert stacker.containers("-p", "shop")["shop-app-1"]["status"] == "exited"
    assert stacker.containers("-p", "other")["other-app-1"]["status"] == "running"
    assert stacker("stop", cwd=nowhere).returncode == 1
