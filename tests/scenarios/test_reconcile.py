"""What is declared is kept true: changes, crashes, and things removed behind stacker's back."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.supervisor import IMAGE, Stacker, eventually

pytestmark = pytest.mark.root

TWO = f"""
name: two
services:
  a:
    image: {IMAGE}
    command: [sleep, infinity]
    init: true
    restart: always
  b:
    image: {IMAGE}
    command: [httpd, -f, -p, "80", -h, /etc]
    init: true
    labels:
      version: "1"
    restart: always
"""


@pytest.fixture
def two(stacker: Stacker) -> Stacker:
    stacker.up(TWO)
    return stacker


def test_only_what_changed_is_made_anew(two: Stacker) -> None:
    before = two.containers()
    changed = TWO.replace('version: "1"', 'version: "2"')
    planned = two("plan", str(two.write(changed)))
    assert planned.returncode == 2
    assert planned.stdout.splitlines()[0] == (
        "#1 stop container two-b-1: its declaration changed: labels"
    )

    two.ok("up", "-d", "--wait", "stack.yaml")
    after = two.containers()
    assert after["two-a-1"]["pid"] == before["two-a-1"]["pid"]
    assert after["two-b-1"]["id"] != before["two-b-1"]["id"]


def test_more_and_fewer_replicas(two: Stacker) -> None:
    scaled = TWO.replace("  b:\n", "  b:\n    deploy:\n      replicas: 3\n")
    two.up(scaled)
    assert {"two-b-1", "two-b-2", "two-b-3"} <= set(two.containers())
    two.up(TWO)
    assert set(two.containers()) == {"two-a-1", "two-b-1"}


def test_a_service_that_left_the_file_goes(two: Stacker) -> None:
    two.up(TWO[: TWO.index("  b:")])
    assert set(two.containers()) == {"two-a-1"}


def test_a_killed_process_comes_back(two: Stacker) -> None:
    pid = two.containers()["two-a-1"]["pid"]
    os.kill(pid, signal.SIGKILL)
    row = eventually(
        lambda: (r := two.containers()["two-a-1"])["pid"] not in (None, pid) and r,
        what="a new process",
    )
    assert row["restarts"] == 1


def test_a_deleted_bridge_comes_back_with_its_members(two: Stacker) -> None:
    pid = two.containers()["two-a-1"]["pid"]
    bridge = next(name for name in os.listdir("/sys/class/net") if _is_bridge_of(two, name))
    subprocess.run(["ip", "link", "delete", bridge], check=True)
    eventually(
        lambda: (
            two(
                *("exec", "-T", "-p", "two", "a"),
                *("wget", "-q", "-O", "/dev/null", "http://b/passwd"),
            ).returncode
            == 0
        ),
        what="a reaches b again",
    )
    assert two.containers()["two-a-1"]["pid"] == pid


def test_the_saved_file_applies_by_itself_and_a_broken_one_does_not(stacker: Stacker) -> None:
    path = stacker.write(TWO)
    stacker.ok("up", "-d", "--wait", "--watch", str(path))
    before = stacker.containers()

    _save(path, TWO.replace('version: "1"', 'version: "2"'))
    changed = eventually(
        lambda: (
            (rows := stacker.containers()).get("two-b-1", {}).get("pid")
            and rows["two-b-1"]["id"] != before["two-b-1"]["id"]
            and rows
        ),
        what="the change to apply",
    )
    _save(path, "services: [")
    eventually(lambda: "stays as it is" in stacker.ok("events", "-p", "two"), what="the warning")
    assert stacker.containers()["two-b-1"]["pid"] == changed["two-b-1"]["pid"]
    _save(path, TWO[: TWO.index("  b:")])
    eventually(lambda: set(stacker.containers()) == {"two-a-1"}, what="b to go")


def test_an_attached_up_tells_what_a_save_has_come_to(stacker: Stacker) -> None:
    path = stacker.write(TWO)
    said = stacker.directory / "stderr"
    with (
        said.open("wb") as stderr,
        stacker.start("up", "--watch", stdout=subprocess.DEVNULL, stderr=stderr) as process,
    ):
        eventually(lambda: len(stacker.containers()) == 2, what="the stack to run")
        _save(path, "services: [")
        eventually(lambda: "two stays as it is: stack.yaml:" in said.read_text(), what="a warning")
        _save(path, TWO[: TWO.index("  b:")])
        eventually(lambda: "\nstack two is declared\n" in said.read_text(), what="the news")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130


def test_a_file_that_a_save_adds_is_watched_too(stacker: Stacker) -> None:
    path = stacker.write(TWO)
    more = path.with_name("more.yaml")
    third = TWO[TWO.index("  b:") :].replace("  b:", "  c:")
    more.write_text("services:\n" + third.replace('version: "1"', 'version: "3"'))
    stacker.ok("up", "-d", "--wait", "--watch", str(path))
    _save(path, TWO.replace("services:", "include: [more.yaml]\nservices:", 1))
    first = eventually(lambda: stacker.containers().get("two-c-1"), what="c to be included")

    _save(more, "services:\n" + third.replace('version: "1"', 'version: "4"'))
    eventually(
        lambda: (row := stacker.containers().get("two-c-1")) and row["id"] != first["id"],
        what="the change of the included file to apply",
    )


def test_what_was_saved_while_nobody_watched_applies_as_well(stacker: Stacker) -> None:
    text = TWO.replace("  a:\n", "  a:\n    configs: [motd]\n", 1) + (
        "configs:\n  motd:\n    file: ./motd\n"
    )
    motd = stacker.write("one", "motd")
    path = stacker.write(text)
    stacker.ok("up", "-d", "--wait", "--watch", str(path))
    before = stacker.containers()

    os.kill(stacker.supervisor_pid(), signal.SIGKILL)
    eventually(lambda: stacker.running_supervisor() is None, what="its death")
    _save(path, text.replace('version: "1"', 'version: "2"'))
    changed = eventually(
        lambda: (
            (row := stacker.containers().get("two-b-1", {})).get("pid")
            and row["id"] != before["two-b-1"]["id"]
            and row
        ),
        what="the change to apply",
    )
    # and a file that the stack file takes a config from, though nothing else has changed
    _save(motd, "two")
    eventually(
        lambda: stacker("exec", "a", "cat", "/motd").stdout == "two", what="the config to apply"
    )
    assert stacker.containers()["two-b-1"]["id"] == changed["id"]


def test_force_recreate(two: Stacker) -> None:
    before = two.containers()
    two.ok("up", "-d", "--wait", "--force-recreate", "stack.yaml")
    after = two.containers()
    assert {row["id"] for row in before.values()}.isdisjoint({row["id"] for row in after.values()})


def test_a_health_check_may_come_and_go_while_a_container_runs(stacker: Stacker) -> None:
    plain = f"""
name: checked
services:
  app:
    image: {IMAGE}
    command: [sleep, infinity]
    init: true
"""
    check = """
    healthcheck:
      test: [CMD, "true"]
      interval: 300ms
"""
    stacker.up(plain)
    before = stacker.containers()["checked-app-1"]
    assert before["health"] == "none"

    stacker.up(plain.rstrip() + check)  # waits for the first probe
    checked = stacker.containers()["checked-app-1"]
    assert (checked["pid"], checked["health"]) == (before["pid"], "healthy")

    stacker.up(plain)
    after = stacker.containers()["checked-app-1"]
    assert (after["pid"], after["health"]) == (before["pid"], "none")


def test_an_unhealthy_service_fails_the_wait_and_says_why(stacker: Stacker) -> None:
    sick = f"""
name: sick
services:
  web:
    image: {IMAGE}
    command: [sleep, infinity]
    init: true
    healthcheck:
      test: echo the disk is on fire; exit 1
      interval: 100ms
      retries: 2
"""
    done = stacker("up", "-d", "--wait", str(stacker.write(sick)))
    assert done.returncode == 1
    assert "sick-web-1 is unhealthy: the disk is on fire" in done.stderr


def test_attempts_are_used_up_and_told(stacker: Stacker) -> None:
    short = f"""
name: short
services:
  job:
    image: {IMAGE}
    command: [sh, -c, "exit 3"]
    restart: on-failure:2
"""
    done = stacker("up", "-d", "--wait", str(stacker.write(short)))
    assert done.returncode == 1
    assert "short-job-1 exited with 3, all 2 attempts used up" in done.stderr
    assert stacker.containers()["short-job-1"]["restarts"] == 2


def test_a_volume_outlives_its_container_and_is_filled_from_the_image(stacker: Stacker) -> None:
    kept = f"""
name: kept
services:
  db:
    image: {IMAGE}
    command: [sleep, infinity]
    init: true
    volumes: ["data:/etc"]
volumes:
  data: {{}}
"""
    stacker.up(kept)
    assert "nobody" in stacker.ok("exec", "-T", "-p", "kept", "db", "cat", "/etc/passwd")
    stacker.ok("exec", "-T", "-p", "kept", "db", "sh", "-c", "echo here > /etc/mark")
    stacker.ok("up", "-d", "--wait", "--force-recreate", "stack.yaml")
    assert stacker.ok("exec", "-T", "-p", "kept", "db", "cat", "/etc/mark") == "here\n"
    stacker.ok("down", "-p", "kept")
    stacker.up(kept)
    assert stacker.ok("exec", "-T", "-p", "kept", "db", "cat", "/etc/mark") == "here\n"
    stacker.ok("down", "-v", "-p", "kept")
    stacker.up(kept)
    assert stacker("exec", "-T", "-p", "kept", "db", "cat", "/etc/mark").returncode == 1


def test_configs_and_secrets(stacker: Stacker) -> None:
    (stacker.directory / "token").write_text("s3cr3t-canary")
    stacker.environment["WORD"] = "w0rd-canary"
    text = f"""
name: quiet
services:
  app:
    image: {IMAGE}
    command: [sleep, infinity]
    init: true
    user: nobody
    configs:
      - source: page
        target: /srv/page
    secrets:
      - source: token
        uid: "65534"
        mode: 0400
      - word
configs:
  page:
    content: hello
secrets:
  token:
    file: ./token
  word:
    environment: WORD
"""
    stacker.up(text)
    assert stacker.ok("exec", "-T", "-p", "quiet", "app", "cat", "/srv/page") == "hello"
    assert (
        stacker.ok("exec", "-T", "-p", "quiet", "app", "cat", "/run/secrets/token")
        == "s3cr3t-canary"
    )
    assert (
        stacker.ok("exec", "-T", "-p", "quiet", "app", "cat", "/run/secrets/word") == "w0rd-canary"
    )
    listed = stacker.ok(
        "exec", "-T", "-p", "quiet", "app", "stat", "-c", "%u %a", "/run/secrets/token"
    )
    assert listed.split() == ["65534", "400"]

    told = stacker.ok("inspect", "-p", "quiet", "app") + stacker.ok(
        "events", "--json", "-p", "quiet"
    )
    for canary in ("s3cr3t-canary", "w0rd-canary"):
        assert canary not in told
        assert not _found_below(stacker.root, canary)


def _found_below(directory: Path, text: str) -> list[str]:
    found = subprocess.run(
        ["grep", "-rl", text, str(directory)], capture_output=True, text=True, check=False
    )
    return found.stdout.split()


def _is_bridge_of(stacker: Stacker, name: str) -> bool:
    return name.startswith(f"sk{stacker.tag}") and Path(f"/sys/class/net/{name}/bridge").exists()


def _save(path: Path, text: str) -> None:
    """As editors do: a new file, renamed over the old one."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.rename(path)
