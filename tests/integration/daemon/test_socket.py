"""The socket from a stranger's side: raw bytes in, and what must hold whatever they are."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import time
from pathlib import Path

import pytest

from stacker import __version__
from stacker.wire import execution

pytestmark = pytest.mark.root


@pytest.fixture
def supervisor(shared):
    return shared


def ask(path: str, request: bytes, *, timeout: float = 10) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout)
        sock.connect(path)
        sock.sendall(request)
        parts = []
        try:
            while part := sock.recv(65536):
                parts.append(part)
        except ConnectionResetError:
            pass
        return b"".join(parts)


def request(method: str, target: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: x", "Connection: close", *headers]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def status_and_body(answer: bytes) -> tuple[int, dict[str, object]]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), json.loads(body)


def test_curl_is_enough(supervisor) -> None:
    done = subprocess.run(
        ["curl", "-s", "--unix-socket", supervisor.place.socket, "http://stacker/v1/info"],
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout)["version"] == __version__


def test_the_socket_and_its_directories_are_ours_alone(supervisor) -> None:
    place = supervisor.place
    assert stat.S_IMODE(os.stat(place.socket).st_mode) == 0o660
    for directory in (place.root, place.run, str(Path(place.socket).parent)):
        assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700


def test_another_user_is_refused_even_where_file_modes_would_let_him(supervisor) -> None:
    place = supervisor.place
    directories = (place.run, str(Path(place.socket).parent))
    for path in directories:
        os.chmod(path, 0o711)
    os.chmod(place.socket, 0o666)
    for parent in Path(place.run).parents:
        if parent.stat().st_uid == 0 and str(parent).startswith("/tmp/pytest"):
            os.chmod(parent, 0o711)
    done = subprocess.run(
        ["curl", "-s", "--unix-socket", place.socket, "http://stacker/v1/info"],
        capture_output=True,
        check=False,
        user=65534,
    )
    for path in directories:
        os.chmod(path, 0o700)
    os.chmod(place.socket, 0o660)
    if done.returncode == 7:
        pytest.skip("the test's own directory cannot be reached by others")
    assert json.loads(done.stdout)["kind"] == "denied"


@pytest.mark.parametrize(
    ("sent", "status", "kind"),
    [
        (request("GET", "/v1/nope"), 404, "not-found"),
        (request("PUT", "/v1/info"), 405, "invalid"),
        (request("POST", "/v1/plan", b"{"), 400, "invalid"),
        (request("POST", "/v1/plan", b"[" * 100_000), 400, "invalid"),
        (request("POST", "/v1/plan", b'{"x": 1}'), 400, "invalid"),
        (request("GET", "/v1/events?since=x"), 400, "invalid"),
        (request("GET", "/v1/events?since=1&since=2"), 400, "invalid"),
        (request("GET", "/v1/events?what=1"), 400, "invalid"),
        (request("GET", "/v1/stacks/..%2f..%2fetc/logs"), 400, "invalid"),
        (request("GET", "/v1/stacks/a%00b/logs"), 400, "invalid"),
        (request("GET", "/v1/stacks/nope/inspect/web"), 404, "not-found"),
        (request("POST", "/v1/stacks/nope/down", b"{}"), 404, "not-found"),
        (request("POST", "/v1/images/load", b'{"path": "relative.tar"}'), 400, "invalid"),
        (request("POST", "/v1/plan", b"", "Content-Length: 99999999999"), 400, "invalid"),
    ],
)
def test_bad_requests_are_answered_with_a_problem(supervisor, sent, status, kind) -> None:
    answer = ask(supervisor.place.socket, sent)
    if b"application/problem+json" not in answer:
        # what aiohttp's parser refuses itself
        assert answer.split(b" ")[1] == b"400"
        return
    found, problem = status_and_body(answer)
    assert (found, problem["kind"]) == (status, kind)
    assert b"Traceback" not in answer


def test_a_body_that_is_too_long_is_refused(supervisor) -> None:
    answer = ask(supervisor.place.socket, request("POST", "/v1/plan", b" " * (5 << 20)))
    assert status_and_body(answer)[0] == 413


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 100_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nA: " + b"x" * 100_000 + b"\r\n\r\n",
        b"POST /v1/plan HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0",
        b"\0" * 1000,
        b"GET /v1/info HTTP/9.9\r\n\r\n",
    ],
    ids=["headers", "long line", "two lengths", "zeros", "version"],
)
def test_a_broken_head_is_refused_and_others_are_served(supervisor, sent) -> None:
    try:
        answer = ask(supervisor.place.socket, sent)
    except (BrokenPipeError, ConnectionResetError):
        answer = b""
    assert not answer.startswith(b"HTTP/1.1 200")
    assert supervisor.client.info().version == __version__


def test_clients_that_say_nothing_do_not_stand_in_the_way(supervisor) -> None:
    idle = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(200)]
    try:
        for sock in idle:
            sock.connect(supervisor.place.socket)
            sock.sendall(b"GET /v1/inf")
        began = time.monotonic()
        assert supervisor.client.info().version == __version__
        assert time.monotonic() - began < 2
    finally:
        for sock in idle:
            sock.close()


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_clients_that_vanish_leave_nothing_behind(supervisor, tmp_path) -> None:
    """Streams, waits and execs whose client is gone end (CVE-2022-23471 and its kin)."""
    declare(supervisor, "shop")
    pid = supervisor.process.pid
    supervisor.client.info()
    before = descriptors(pid)
    for _ in range(30):
        for target in ("/v1/events?follow=true", "/v1/stacks/shop/logs?follow=true"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                sock.connect(supervisor.place.socket)
                sock.sendall(request("GET", target))
                sock.recv(10)
        body = json.dumps({"service": "web", "args": ["sleep", "1000"]}).encode()
        headers = ("Connection: Upgrade", f"Upgrade: {execution.UPGRADE}")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.connect(supervisor.place.socket)
            sock.sendall(request("POST", "/v1/stacks/shop/exec", body, *headers))
            assert b"101" in sock.recv(100)
    deadline = time.monotonic() + 10
    while descriptors(pid) > before + 2:
        assert time.monotonic() < deadline, (before, descriptors(pid))
        time.sleep(0.05)
    assert "Traceback" not in supervisor.log.read_text()


def declare(supervisor, name: str, *, wait: str = "running") -> None:
    from stacker.wire.requests import DeclarationBody, UpRequest

    body = DeclarationBody(files=(), working_dir="/", environment={}, project=name)
    supervisor.client.up(UpRequest(declaration=body, wait=wait)).result()
