"""Everything from outside can be wrong: one clear message, the right code, nothing touched."""

from __future__ import annotations

import contextlib
import http.server
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.support.supervisor import IMAGE, Stacker

pytestmark = pytest.mark.root

GOOD = f"""
name: shop
services:
  web:
    image: {IMAGE}
    command: [sleep, infinity]
    init: true
    restart: always
"""


@dataclass(frozen=True)
class Case:
    name: str
    text: str
    says: str
    """A part of the message, with path and line where the file is at fault."""
    code: int = 1


CASES = (
    Case("broken yaml", "name: shop\nservices:\n  web: [\n", "stack.yaml:"),
    Case("unknown key", GOOD + "    netwroks: [a]\n", "stack.yaml:9: services.web.netwroks"),
    Case("build is refused", GOOD + "    build: .\n", "stack.yaml:9: services.web.build"),
    Case("missing image", GOOD.replace(IMAGE, "127.0.0.1:9/nosuch:1"), "127.0.0.1:9/nosuch:1"),
    Case(
        "never pulled",
        GOOD.replace(IMAGE, "127.0.0.1:9/nosuch:1") + "    pull_policy: never\n",
        "127.0.0.1:9/nosuch:1",
    ),
    Case(
        "dependency cycle",
        GOOD + "    depends_on: [b]\n  b:\n    image: x\n    depends_on: [web]\n",
        "web",
    ),
    Case("undefined network", GOOD + "    networks: [nosuch]\n", "nosuch"),
    Case(
        "overlapping subnet",
        GOOD
        + "    networks: [a, b]\nnetworks:\n"
        + "  a: {ipam: {config: [{subnet: 10.77.0.0/24}]}}\n"
        + "  b: {ipam: {config: [{subnet: 10.77.0.128/25}]}}\n",
        "10.77.0.",
    ),
    Case(
        "missing secret file",
        GOOD + "    secrets: [s]\nsecrets:\n  s: {file: ./nosuch}\n",
        "nosuch",
    ),
    Case("unset variable", GOOD + "    user: ${NOSUCH:?say who}\n", "say who"),
    Case(
        "missing bind",
        GOOD
        + "    volumes:\n      - {type: bind, source: /nosuch-dir, target: /x,"
        + " bind: {create_host_path: false}}\n",
        "/nosuch-dir",
    ),
    Case("bad port", GOOD + '    ports: ["99999:80"]\n', "stack.yaml:9: services.web.ports[0]"),
)


@pytest.fixture
def shop(stacker: Stacker) -> Stacker:
    stacker.up(GOOD)
    return stacker


def untouched(stacker: Stacker, before: dict[str, dict[str, object]]) -> None:
    after = stacker.containers()
    assert {n: (r["id"], r["pid"]) for n, r in after.items()} == {
        n: (r["id"], r["pid"]) for n, r in before.items()
    }


def told(done: subprocess.CompletedProcess[str], says: str, *, code: int = 1) -> None:
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert done.stderr.strip()


def test_the_list(shop: Stacker) -> None:
    """One running stack, every bad file against it: it never notices."""
    before = shop.containers()
    for case in CASES:
        done = shop("up", "-d", "--wait", str(shop.write(case.text)))
        told(done, case.says, code=case.code)
        untouched(shop, before)


def test_a_taken_port(shop: Stacker) -> None:
    before = shop.containers()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = GOOD + f'    ports: ["127.0.0.1:{port}:80"]\n'
        done = shop("up", "-d", "--wait", str(shop.write(text)))
    told(done, f"port {port}/tcp")
    untouched(shop, before)


def test_a_usage_error_is_64(stacker: Stacker) -> None:
    told(stacker("up", "--nosuch"), "--nosuch", code=64)
    told(stacker("nosuch"), "nosuch", code=64)


def test_a_file_that_is_not_there(stacker: Stacker) -> None:
    told(stacker("up", "-d", "nosuch.yaml"), "nosuch.yaml")


def test_a_caller_who_is_not_root(shop: Stacker) -> None:
    before = shop.containers()
    os.chmod(shop.directory, 0o755)
    done = subprocess.run(
        shop.command("ps"),
        env=shop.env(),
        cwd="/",
        user=65534,
        group=65534,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    told(done, "root")
    untouched(shop, before)


class _Registry:
    """A registry that misbehaves in one way."""

    def __init__(self, answer: Callable[[http.server.BaseHTTPRequestHandler], None]) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                answer(self)

            do_HEAD = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> _Registry:
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def refuses(request: http.server.BaseHTTPRequestHandler) -> None:
    request.send_error(403)


def has_no_such_image(request: http.server.BaseHTTPRequestHandler) -> None:
    code = 200 if request.path == "/v2/" else 404
    request.send_response(code)
    request.send_header("Content-Length", "0")
    request.end_headers()


def lies(request: http.server.BaseHTTPRequestHandler) -> None:
    body = b'{"schemaVersion": 2, "layers": "what?"}'
    request.send_response(200)
    request.send_header("Content-Type", "application/vnd.oci.image.manifest.v1+json")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    if request.command == "GET":
        request.wfile.write(body)


@pytest.mark.parametrize("answer", [refuses, has_no_such_image, lies])
def test_a_bad_registry(
    shop: Stacker, answer: Callable[[http.server.BaseHTTPRequestHandler], None]
) -> None:
    before = shop.containers()
    with _Registry(answer) as registry:
        text = GOOD.replace(IMAGE, f"{registry.address}/app:1")
        done = shop("up", "-d", "--wait", str(shop.write(text)))
    told(done, f"{registry.address}/app:1")
    untouched(shop, before)


@contextlib.contextmanager
def small_disk(directory: str) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "small", directory], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", directory], check=True)


def test_a_full_disk(stacker: Stacker, busybox_tar: os.PathLike[str]) -> None:
    """The image store runs full in an import: it says so, and nothing of it is left."""
    other = Stacker(directory=stacker.directory / "o")
    other.root.mkdir(parents=True)
    with small_disk(str(other.root)):
        try:
            done = other("import", str(busybox_tar), "a:1")
            told(done, "no space left on device")
            assert other.json("images")["images"] == []
        finally:
            other.end()
