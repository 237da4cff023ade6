"""Each endpoint through the client: messages there, messages back, errors as they were raised."""

from __future__ import annotations

import threading

import pytest

from stacker.base.errors import Invalid, NotFound, Unavailable
from stacker.wire import execution
from stacker.wire.requests import (
    DeclarationBody,
    DownRequest,
    ExecBody,
    FindRequest,
    KillRequest,
    PlanRequest,
    ServicesRequest,
    UpRequest,
)

pytestmark = pytest.mark.root


def declaration(name: str = "shop", *, files: tuple[str, ...] = ()) -> DeclarationBody:
    return DeclarationBody(files=files, working_dir="/srv", environment={}, project=name)


@pytest.fixture
def client(supervisor):
    return supervisor.client


def up(client, name: str = "shop", wait: str = "running"):
    operation = client.up(UpRequest(declaration=declaration(name), wait=wait))
    events = list(operation)
    return operation, events


def test_up_is_accepted_then_followed_then_judged(client) -> None:
    operation, events = up(client)
    assert operation.accepted.stack == "shop"
    assert operation.accepted.warnings == ("w1",)
    assert [event.kind for event in events] == ["step.started", "step.done", "stack.converged"]
    assert operation.result() == {"ok": True, "problems": []}


def test_a_stack_that_fails_says_how(client) -> None:
    operation, _ = up(client, "failing")
    assert operation.result() == {"ok": False, "problems": ["failing-web-1 exited with 3"]}


def test_a_bad_file_is_refused_with_its_place(client) -> None:
    wanted = UpRequest(declaration=declaration(files=("/srv/broken.yaml",)))
    with pytest.raises(Invalid) as caught:
        client.up(wanted).result()
    assert caught.value.where == "broken.yaml:3: services.web"


@pytest.mark.parametrize("change", [{"wait": "for ever"}, {"pull": "sometimes"}])
def test_words_that_are_not_known_are_refused(client, change) -> None:
    with pytest.raises(Invalid):
        client.up(UpRequest(declaration=declaration(), **change)).result()


def test_wait_follows_from_a_number(client) -> None:
    operation, events = up(client)
    again = client.wait("shop", operation.accepted.generation, healthy=True, since=events[0].seq)
    assert [event.seq for event in again] == [event.seq for event in events[1:]]
    assert again.result()["ok"] is True


def test_a_wait_that_nobody_listens_to_is_given_up(client) -> None:
    operation = client.up(UpRequest(declaration=declaration("stuck")))
    for event in operation:
        if event.kind == "stack.converged":
            break
    operation.close()
    assert client.down("stuck", DownRequest()).result() == {"supervisor_ends": False}


def test_plan_and_find(client) -> None:
    plan = client.plan(PlanRequest(declaration=declaration()))
    assert plan.text == "#1 create container shop-web-1: not there"
    up(client)
    assert client.plan(PlanRequest(declaration=declaration())).steps == ()
    assert client.find(FindRequest(working_dir="/srv")) == "shop"
    with pytest.raises(NotFound):
        client.find(FindRequest(project="other", working_dir="/srv"))


def test_listings(client) -> None:
    up(client, "one")
    up(client, "two")
    assert [row.name for row in client.stacks().stacks] == ["one", "two"]
    assert [row.name for row in client.containers().containers] == ["one-web-1", "two-web-1"]
    [row] = client.containers("two").containers
    assert (row.status, row.health, row.ports[0].published) == ("running", "healthy", 8080)
    assert [row.container for row in client.stats().rows] == ["one-web-1", "two-web-1"]
    assert client.images().images == ()
    assert client.inspect("one", "web") == {"name": "web"}


def test_services_are_stopped_started_and_killed(client) -> None:
    up(client)
    events = list(client.stop("shop", ServicesRequest(services=("web",), timeout_s=1.5)))
    assert [event.kind for event in events] == ["container.exit"]
    assert client.containers().containers[0].status == "exited"
    client.start("shop", ServicesRequest()).result()
    client.restart("shop", ServicesRequest()).result()
    client.kill("shop", KillRequest(signal="TERM")).result()
    assert client.containers().containers[0].exit_code == 0


def test_events_are_kept_and_followed(client) -> None:
    up(client)
    past = list(client.events())
    assert [event.seq for event in past] == [1, 2, 3]
    stream = client.events(since=1, follow=True, stack="shop")
    seen: list[int] = []
    reader = threading.Thread(target=lambda: seen.extend(e.seq for e in take(stream, 4)))
    reader.start()
    client.stop("shop", ServicesRequest()).result()
    client.down("shop", DownRequest()).result()
    reader.join(10)
    assert seen == [2, 3, 4, 5]


def take(stream, count: int):
    found = []
    for event in stream:
        found.append(event)
        if len(found) == count:
            stream.close()
            break
    return found


def test_a_stream_can_be_closed_by_another_thread(client) -> None:
    stream = client.events(follow=True)
    ended: list[BaseException] = []

    def read() -> None:
        try:
            list(stream)
        except Unavailable as error:
            ended.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    stream.close()
    reader.join(5)
    assert not reader.is_alive()


def test_logs_come_as_records(client) -> None:
    up(client)
    records = list(client.logs("shop"))
    assert [(record.container, record.service) for record, _ in records] == [
        ("shop-web-1", "web"),
        ("shop-web-1", "web"),
    ]
    with pytest.raises(NotFound):
        list(client.logs("other"))


def test_exec_speaks_both_ways_and_tells_the_code(client) -> None:
    up(client)
    script = "cat; echo problem >&2; exit 42"
    stream = client.exec("shop", ExecBody(service="web", args=("sh", "-c", script), stdin=True))
    stream.send(b"x" * 300_000)
    stream.send(b"")
    received = {1: b"", 2: b"", 3: b""}
    for kind, payload in stream.frames():
        received[kind] += payload
    stream.close()
    assert received[execution.STDOUT] == b"x" * 300_000
    assert received[execution.STDERR] == b"problem\n"
    assert int.from_bytes(received[execution.EXIT], "big") == 42


def test_exec_needs_the_upgrade(client, supervisor) -> None:
    from stacker.client import http

    up(client)
    answer = http.request(
        supervisor.place.socket,
        "POST",
        "/v1/stacks/shop/exec",
        body=b'{"service": "web", "args": ["true"]}',
    )
    assert answer.status == 400
    assert b"Upgrade" in answer.read()
