"""Everything from outside can be wrong: one clear message, the right code, nothing touched."""

from __future__ import annotations

import contextlib
import http.server
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.registries.made import MANIFEST, TinyImage, member, tar_of
from tests.support import leaks
from tests.support.supervisor import IMAGE, Stacker, eventually

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
        "image 127.0.0.1:9/nosuch:1 is not here, and its pull policy is never",
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
    Case(
        "missing config file",
        GOOD + "    configs: [c]\nconfigs:\n  c: {file: ./nosuch.conf}\n",
        "nosuch.conf",
    ),
    Case("a wrong type", GOOD + "    ports: 80\n", "stack.yaml:9: services.web.ports"),
    Case("unset variable", GOOD + "    user: ${NOSUCH:?say who}\n", "say who"),
    Case(
        "missing bind",
        GOOD
        + "    volumes:\n      - {type: bind, source: /nosuch-dir, target: /x,"
        + " bind: {create_host_path: false}}\n",
        "/nosuch-dir",
    ),
    Case(
        "missing external volume",
        GOOD + "    volumes: ['v:/v']\nvolumes:\n  v: {external: true}\n",
        "volume v is external and does not exist",
    ),
    Case(
        "missing external network",
        GOOD + "    networks: [n]\nnetworks:\n  n: {external: true}\n",
        "network n: it is external and no stack that is up declares it",
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


@dataclass(frozen=True)
class Broken:
    name: str
    text: str
    says: tuple[str, ...]


DOOMED = (
    Broken(
        "a command that is not in the image",
        f"""
name: doomed
services:
  job:
    image: {IMAGE}
    command: [nosuch, --flag]
    restart: always
""",
        ("doomed-job-1", "exec nosuch: executable file not found in $PATH"),
    ),
    Broken(
        "a command that is no program",
        f"""
name: doomed
services:
  job:
    image: {IMAGE}
    command: [/etc/passwd]
""",
        ("doomed-job-1", "exec /etc/passwd: permission denied"),
    ),
    Broken(
        "a user whom the image does not know",
        f"""
name: doomed
services:
  job:
    image: {IMAGE}
    user: nosuch
""",
        ("doomed-job-1", "nosuch"),
    ),
)


def test_what_can_never_start_is_told_at_once(shop: Stacker) -> None:
    before = shop.containers()
    for case in DOOMED:
        done = shop("up", "-d", "--wait", str(shop.write(case.text, "doomed.yaml")), timeout=10)
        for text in case.says:
            told(done, text)
        row = shop.containers().get("doomed-job-1")
        assert row is None or row["pid"] is None
        shop.ok("down", "-p", "doomed")
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


def test_a_bad_registry(shop: Stacker) -> None:
    before = shop.containers()
    for answer in (refuses, has_no_such_image, lies):
        with _Registry(answer) as registry:
            text = GOOD.replace(IMAGE, f"{registry.address}/app:1")
            done = shop("up", "-d", "--wait", str(shop.write(text)))
        told(done, f"{registry.address}/app:1")
        untouched(shop, before)


IMAGE_THERE = TinyImage(layers=(tar_of(member("big", os.urandom(4 << 20))),), packing="")
GROWS = TinyImage(layers=(tar_of(member("big", os.urandom(1 << 16) * 128)),), packing="+zstd")
"""Some kilobytes that become 8 MiB."""


def answer_image(
    request: http.server.BaseHTTPRequestHandler,
    *,
    image: TinyImage = IMAGE_THERE,
    blob: Callable[[bytes], bytes] = bytes,
    pause: threading.Event | None = None,
) -> None:
    """Serve a sound image, but for its layer: what is sent is `blob` of it, with its length."""
    *_, kind, name = request.path.split("/")
    if request.path == "/v2/":
        body, sent = b"{}", b"{}"
    elif kind == "manifests":
        body = sent = image.manifest
    else:
        body = sent = image.blobs[name]
        if name in image.layer_digests:
            sent = blob(body)
            if pause is not None:
                pause.wait(30)
    request.send_response(200)
    request.send_header("Content-Type", MANIFEST if kind == "manifests" else "application/json")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    if request.command == "GET":
        with contextlib.suppress(OSError):
            request.wfile.write(sent)
    request.close_connection = True


def truncates(request: http.server.BaseHTTPRequestHandler) -> None:
    answer_image(request, blob=lambda whole: whole[:1000])


def sends_something_else(request: http.server.BaseHTTPRequestHandler) -> None:
    answer_image(request, blob=lambda whole: bytes(len(whole)))


def test_a_registry_whose_layer_is_not_what_it_says(impatient: Stacker) -> None:
    before = impatient.containers()
    for answer in (truncates, sends_something_else):
        with _Registry(answer) as registry:
            text = GOOD.replace(IMAGE, f"{registry.address}/app:1")
            done = impatient("up", "-d", "--wait", str(impatient.write(text)))
        told(done, f"{registry.address}/app:1")
        assert IMAGE_THERE.layer_digests[0].removeprefix("sha256:")[:12] in done.stderr
        untouched(impatient, before)
        no_image_but(impatient, IMAGE)


@pytest.mark.parametrize("where", ["before its answer", "before a layer", "never accepts"])
def test_a_registry_that_hangs(impatient: Stacker, where: str) -> None:
    before = impatient.containers()
    over = threading.Event()

    def hangs(request: http.server.BaseHTTPRequestHandler) -> None:
        if where == "before its answer":
            over.wait(30)
        answer_image(request, pause=over)

    with contextlib.ExitStack() as opened:
        if where == "never accepts":
            silent = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1))
            address = f"127.0.0.1:{silent.getsockname()[1]}"
        else:
            address = opened.enter_context(_Registry(hangs)).address
            opened.callback(over.set)  # before the server's threads are waited for
        text = GOOD.replace(IMAGE, f"{address}/app:1")
        done = impatient("up", "-d", "--wait", str(impatient.write(text)))
    told(done, f"{address}/app:1")
    untouched(impatient, before)
    no_image_but(impatient, IMAGE)


@pytest.fixture
def impatient(stacker: Stacker) -> Stacker:
    """With the stack running, and a supervisor that waits a short time for registries."""
    stacker.end()
    stacker.environment["STACKER_REGISTRY_TIMEOUT"] = "0.3"
    stacker.up(GOOD)
    return stacker


def no_image_but(stacker: Stacker, reference: str) -> None:
    rows = stacker.json("images")["images"]
    assert [row["references"] for row in rows] == [[f"docker.io/{reference}"]]


@pytest.fixture
def cramped(stacker: Stacker, busybox_tar: Path) -> Iterator[Stacker]:
    """A supervisor whose state root is a small file system, with the stack running."""
    other = Stacker(directory=stacker.directory / "o")
    other.root.mkdir(parents=True)
    before = leaks.snapshot(str(other.directory), other.tag)
    with small_disk(str(other.root)):
        try:
            other.ok(*("import", "--change", "ENV PATH=/bin", str(busybox_tar), IMAGE))
            other.up(GOOD)
            yield other
        finally:
            (other.root / "filler").unlink(missing_ok=True)
            other.end()
    leaks.assert_none(before, str(other.directory), other.tag)


def grows(request: http.server.BaseHTTPRequestHandler) -> None:
    answer_image(request, image=GROWS)


@pytest.mark.parametrize(
    ("answer", "says"),
    [(answer_image, "it needs at least 8.0"), (grows, "no space left on device")],
    ids=["known before", "found on the way"],
)
def test_a_disk_without_room_for_a_pull(
    cramped: Stacker, answer: Callable[[http.server.BaseHTTPRequestHandler], None], says: str
) -> None:
    before = cramped.containers()
    with _Registry(answer) as registry:
        text = GOOD.replace(IMAGE, f"{registry.address}/app:1")
        done = cramped("up", "-d", "--wait", str(cramped.write(text)))
    told(done, f"{registry.address}/app:1")
    told(done, says)
    untouched(cramped, before)
    no_image_but(cramped, IMAGE)
    assert free_bytes(cramped) > 1 << 20


def test_a_full_disk_takes_no_new_declaration(cramped: Stacker) -> None:
    before = cramped.containers()
    fill(cramped.root / "filler")
    done = cramped("up", "-d", "--wait", str(cramped.write(GOOD.replace("infinity", "1000"))))
    told(done, "no space left on device")
    untouched(cramped, before)
    (cramped.root / "filler").unlink()
    cramped.ok("up", "-d", "--wait", "stack.yaml")
    assert cramped.containers()["shop-web-1"]["id"] != before["shop-web-1"]["id"]


def test_a_full_disk_keeps_nobody_from_stopping_what_fills_it(cramped: Stacker) -> None:
    fill(cramped.root / "filler")
    cramped.ok("stop", "-t", "0")
    assert cramped.containers()["shop-web-1"]["status"] == "exited"
    assert "could not be noted yet: state file" in cramped.ok("events")

    (cramped.root / "filler").unlink()
    cramped.ok("start")
    cramped.ok("stop", "-t", "0")
    os.kill(cramped.supervisor_pid(), signal.SIGKILL)
    eventually(lambda: cramped.running_supervisor() is None, what="its death")
    assert cramped.containers()["shop-web-1"]["status"] == "exited"


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass


def free_bytes(stacker: Stacker) -> int:
    found = os.statvfs(stacker.root)
    return found.f_bavail * found.f_frsize


def test_a_kernel_without_erofs(stacker: Stacker) -> None:
    """The kernel is made to answer as one without CONFIG_EROFS_FS does: fsopen gives ENODEV.

    Where the form of layers is left to stacker it takes directories: see test_layers.py.
    """
    stacker.end()
    inject = ("strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=fsopen")
    done = subprocess.run(
        [
            *(*inject, "-e", "inject=fsopen:error=ENODEV"),
            *stacker.command("daemon", "--layers", "erofs"),
        ],
        env=stacker.env(),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
    )
    told(done, "--layers erofs")
    told(done, "the kernel has no EROFS (CONFIG_EROFS_FS)")
    assert stacker.running_supervisor() is None


@contextlib.contextmanager
def small_disk(directory: str) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "small", directory], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", directory], check=True)


def test_an_import_that_fills_the_disk(cramped: Stacker, busybox_tar: Path) -> None:
    """It says so, and nothing of it is left."""
    before = cramped.containers()
    image = cramped.directory / "big.tar"
    image.write_bytes(tar_of(member("big", os.urandom(8 << 20))))
    told(cramped("import", str(image), "a:1"), "no space left on device")
    no_image_but(cramped, IMAGE)
    untouched(cramped, before)
