"""The example stack, from `up` to `down`, as the README tells it."""

from __future__ import annotations

import json
import re
import urllib.request

import pytest

from tests.support.supervisor import REPOSITORY, Stacker, eventually

pytestmark = pytest.mark.root

EXAMPLE = str(REPOSITORY / "stack.example.yaml")


@pytest.fixture(scope="module")
def example(shared_stacker: Stacker) -> Stacker:
    shared_stacker.ok("up", "-d", "--wait", EXAMPLE)
    return shared_stacker


def fetch(path: str = "/") -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:8080{path}", timeout=5) as answer:
        return answer.read().decode()


def test_it_answers_on_the_published_port(example: Stacker) -> None:
    assert fetch().startswith("Hello from a declared stack.")


def test_everything_is_up_and_the_plan_is_empty(example: Stacker) -> None:
    rows = {row["service"]: row for row in example.json("ps", "-p", "example")["containers"]}
    assert set(rows) == {"web", "ticker", "flaky"}
    assert rows["web"]["health"] == "healthy"
    assert rows["web"]["ports"][0]["published"] == 8080
    assert rows["ticker"]["status"] == "running"
    planned = example("plan", EXAMPLE)
    assert (planned.returncode, planned.stdout.strip()) == (0, "nothing to do")


def test_services_find_each_other_by_name(example: Stacker) -> None:
    eventually(
        lambda: "web says: Hello from a declared stack." in example.ok("logs", "-p", "example"),
        what="the ticker's line",
    )


def test_logs_name_their_service_and_time(example: Stacker) -> None:
    line = eventually(
        lambda: example.ok("logs", "-t", "--tail", "1", "-p", "example", "ticker"), what="a line"
    )
    assert re.match(r"\S*ticker\S*\s+\| \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z ", line), line


def test_what_lies_in_the_two_directories_is_documented(example: Stacker) -> None:
    text = (REPOSITORY / "docs/architecture.md").read_text()
    for directory, name in ((example.root, "ROOT"), (example.run, "RUN")):
        table = text.partition(f"| below `{name}`")[2].partition("\n\n")[0]
        found = {
            path.name.removesuffix("-wal").removesuffix("-shm") for path in directory.iterdir()
        }
        assert {name for name in found if f"`{name}" not in table} == set()


def test_limits_reach_the_kernel(example: Stacker) -> None:
    pid = next(
        row["pid"]
        for row in example.json("ps", "-p", "example")["containers"]
        if row["service"] == "web"
    )
    rows = example.json("stats", "--no-stream", "-p", "example")["rows"]
    assert [row["service"] for row in rows] == sorted(row["service"] for row in rows)
    web = next(row for row in rows if row["service"] == "web")
    assert web["memory_limit_bytes"] == 64 * 1024 * 1024
    assert web["pids_limit"] == 32
    assert pid > 0


def test_the_root_is_read_only_and_tmp_is_not(example: Stacker) -> None:
    done = example("exec", "-T", "-p", "example", "web", "touch", "/srv/x")
    assert done.returncode == 1
    assert "Read-only file system" in done.stderr
    example.ok("exec", "-T", "-p", "example", "web", "touch", "/tmp/x")


def test_the_exit_code_of_exec_is_ours(example: Stacker) -> None:
    assert example("exec", "-T", "-p", "example", "web", "sh", "-c", "exit 42").returncode == 42
    missing = example("exec", "-T", "-p", "example", "web", "nosuch")
    assert missing.returncode == 127
    assert missing.stderr == "stacker: exec: exec nosuch: executable file not found in $PATH\n"
    assert example("exec", "-T", "-p", "example", "web", "/etc/passwd").returncode == 126
    done = example("exec", "-T", "-p", "example", "web", "cat", stdin=b"through")
    assert done.stdout == "through"


def test_a_second_up_changes_nothing(example: Stacker) -> None:
    before = {r["name"]: r["pid"] for r in example.json("ps", "-p", "example")["containers"]}
    example.ok("up", "-d", "--wait", EXAMPLE)
    after = {r["name"]: r["pid"] for r in example.json("ps", "-p", "example")["containers"]}
    assert before["example-web-1"] == after["example-web-1"]
    assert before["example-ticker-1"] == after["example-ticker-1"]


def test_stop_start_restart(example: Stacker) -> None:
    def row() -> dict[str, object]:
        rows = example.json("ps", "-a", "-p", "example")["containers"]
        return next(r for r in rows if r["service"] == "web")

    first = row()["pid"]
    example.ok("stop", "-p", "example", "web")
    assert row()["status"] == "exited"
    example.ok("start", "-p", "example", "web")
    second = row()["pid"]
    assert second not in (None, first)
    example.ok("restart", "-p", "example", "web")
    assert row()["pid"] not in (None, second)


def test_events_tell_the_story(example: Stacker) -> None:
    events = [
        json.loads(line) for line in example.ok("events", "--json", "-p", "example").splitlines()
    ]
    kinds = [event["kind"] for event in events]
    assert "stack.declared" in kinds
    assert "container.start" in kinds
    assert "container.health" in kinds


def test_inspect(example: Stacker) -> None:
    found = json.loads(example.ok("inspect", "-p", "example", "web"))[0]
    assert found["service"] == "web"
    assert found["network"]["endpoints"]


def test_down_leaves_nothing_and_up_comes_back(example: Stacker) -> None:
    example.ok("down", "-v", "-p", "example")
    assert example.json("ps", "-a")["containers"] == []
    example.ok("up", "-d", "--wait", EXAMPLE)
