"""Mirrors, rewrites, certificates and proxies, as registries.toml gives them."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
from aiohttp import web

from stacker.base.errors import Denied, NotFound, StackerError, Unavailable
from stacker.drivers.images.images import Images
from stacker.drivers.images.registry.configuration import ConfigurationFile
from stacker.oci.progress import PullProgress, PullState
from tests.integration.images.conftest import OpenImages
from tests.registries import faults
from tests.registries.debian import make_certificate
from tests.registries.made import TinyImage, member, tar_of
from tests.registries.scripted import Bend, ScriptedRegistry
from tests.support.auth import auth_file, received

IMAGE = TinyImage((tar_of(member("a", b"a" * 300_000)), tar_of(member("b", b"b" * 1000))))

Configured = Callable[..., Images]


@pytest.fixture
def configured(open_images: OpenImages, tmp_path: Path) -> Configured:
    """Open the store with this text as registries.toml."""

    def opened(text: str, **options: object) -> Images:
        file = tmp_path / "registries.toml"
        file.write_text(text)
        return open_images(registries_file=ConfigurationFile(file), **options)

    return opened


@pytest.fixture
async def mirror() -> AsyncIterator[ScriptedRegistry]:
    async with ScriptedRegistry() as running:
        running.add(IMAGE)
        yield running


def mirrored(home: ScriptedRegistry, *mirrors: ScriptedRegistry, tags: bool = True) -> str:
    names = json.dumps([f"{mirror.host}/cached" for mirror in mirrors])
    flag = "" if tags else "mirror_tags = false"
    return f'[registry."{home.host}"]\nmirrors = {names}\n{flag}\n'


async def test_a_mirror_serves_all(
    scripted: ScriptedRegistry, mirror: ScriptedRegistry, configured: Configured
) -> None:
    name = scripted.add(IMAGE)
    image = await configured(mirrored(scripted, mirror)).ensure(name)
    assert image.reference == name
    assert scripted.seen == []
    assert mirror.count("/v2/cached/web/blobs/") == 3


async def test_tags_from_the_registry_bytes_from_the_mirror(
    scripted: ScriptedRegistry, mirror: ScriptedRegistry, configured: Configured
) -> None:
    name = scripted.add(IMAGE)
    images = configured(mirrored(scripted, mirror, tags=False))
    await images.ensure(name)
    assert mirror.seen == []
    await images.remove(name)
    await images.ensure(f"{scripted.host}/web@{IMAGE.digest}")
    assert mirror.count("/manifests/") == 1


def flip(data: bytes) -> bytes:
    return data[:50] + bytes([data[50] ^ 1]) + data[51:]


LARGE = IMAGE.layer_digests[0]
TROUBLE: dict[str, Callable[[ScriptedRegistry], Bend]] = {
    "has nothing": lambda r: faults.status(404),
    "denies": lambda r: faults.status(403),
    "wants a password": lambda r: faults.status(401, {"WWW-Authenticate": 'Basic realm="x"'}),
    "in trouble": lambda r: faults.status(503),
    "busy": lambda r: faults.status(429, {"Retry-After": "3600"}),
    "busy until no date": lambda r: faults.status(
        503, {"Retry-After": "Mon, 01 Jan 99999999999 00:00:00 GMT"}
    ),
    "hangs": lambda r: faults.hang(),
    "teapot": lambda r: faults.status(418),
    "has no blobs": lambda r: faults.on("/blobs/", faults.status(404)),
    "lies about blobs": lambda r: faults.on("/blobs/", faults.changed(r, flip)),
    "lies about manifests": lambda r: faults.on("/manifests/", faults.changed(r, flip)),
    "breaks off": lambda r: faults.on("/blobs/", faults.cut(r, 200)),
    "ends early": lambda r: faults.on("/blobs/", faults.unannounced(r, 200)),
    "answers with a page": lambda r: faults.page(),
    "answers with JSON": lambda r: faults.page(b'{"message": "log in"}', "application/json"),
    "names no digest": lambda r: faults.on(
        "/manifests/", faults.changed(r, lambda data: data, more={"Docker-Content-Digest": "none"})
    ),
    "drips": lambda r: faults.on("/blobs/", faults.drip(r, every_s=0.05)),
    "sends us away": lambda r: faults.redirect("file:///etc/passwd"),
}


@pytest.mark.parametrize("trouble", TROUBLE)
async def test_a_mirror_in_trouble_is_passed_over(
    trouble: str, scripted: ScriptedRegistry, mirror: ScriptedRegistry, configured: Configured
) -> None:
    name = scripted.add(IMAGE)
    mirror.bend = TROUBLE[trouble](mirror)
    events: list[PullProgress] = []
    images = configured(mirrored(scripted, mirror))
    with anyio.fail_after(10):
        image = await images.ensure(name, progress=events.append)
    assert image.manifest_digest == IMAGE.digest
    assert any("going on elsewhere" in e.note for e in events if e.state is PullState.RETRYING)


async def test_a_mirror_that_has_gone(
    scripted: ScriptedRegistry, mirror: ScriptedRegistry, configured: Configured
) -> None:
    async with ScriptedRegistry() as gone:
        pass
    name = scripted.add(IMAGE)
    await configured(mirrored(scripted, gone, mirror)).ensure(name)
    assert scripted.seen == []
    assert mirror.count("/blobs/") == 3


async def test_what_nobody_has_is_the_registrys_answer(
    scripted: ScriptedRegistry, mirror: ScriptedRegistry, configured: Configured
) -> None:
    images = configured(mirrored(scripted, mirror))
    with pytest.raises(NotFound, match=f"manifest: http://{scripted.host} does not have it"):
        await images.ensure(f"{scripted.host}/nothing:9")
    scripted.add(IMAGE)
    for registry in (mirror, scripted):
        registry.bend = faults.on("/blobs/", faults.changed(registry, flip))
    with pytest.raises(StackerError, match="its digest is"):
        await images.ensure(f"{scripted.host}/web:1")
    assert await images.list() == ()


async def test_each_place_gets_its_own_credentials(
    scripted: ScriptedRegistry, mirror: ScriptedRegistry, configured: Configured, tmp_path: Path
) -> None:
    name = scripted.add(IMAGE)
    mirror.bend = faults.status(401, {"WWW-Authenticate": 'Basic realm="give"'})
    login = auth_file(tmp_path, scripted.host)
    await configured(mirrored(scripted, mirror), auth_files=[login]).ensure(name)
    assert not received(mirror)

    # nor does the registry get what is the mirror's
    mirror.seen.clear()
    scripted.seen.clear()
    scripted.bend = faults.status(401, {"WWW-Authenticate": 'Basic realm="give"'})
    login = auth_file(tmp_path, f"{mirror.host}/cached")
    images = configured(mirrored(scripted, mirror), auth_files=[login])
    with pytest.raises(Denied):
        await images.ensure(name, policy="always")
    assert received(mirror)
    assert not received(scripted)


async def test_a_rewritten_name(
    scripted: ScriptedRegistry, mirror: ScriptedRegistry, configured: Configured
) -> None:
    text = f'[registry."old.example.com/team"]\nlocation = "{mirror.host}/moved"\n'
    images = configured(text)
    image = await images.ensure("old.example.com/team/web:1")
    assert image.reference == "old.example.com/team/web:1"
    assert mirror.count("/v2/moved/web/manifests/1") == 1

    images = configured(text.replace(mirror.host, scripted.host))
    await images.push("old.example.com/team/web:1", target="old.example.com/team/new:2")
    assert scripted.shelves.by_name["moved/new"].tags == {"2": IMAGE.digest}
    assert await images.remote.tags("old.example.com/team/new") == ("2",)


async def test_certificates(configured: Configured, tmp_path: Path) -> None:
    """An authority for the registry, and a certificate of ours that it insists on."""
    made = make_certificate(tmp_path / "certificates")
    context = made.server_context()
    context.load_verify_locations(made.authority)
    context.verify_mode = ssl.CERT_REQUIRED
    async with ScriptedRegistry(tls=context) as home:
        name = home.add(IMAGE)
        table = f'[registry."{home.host}"]\nca = "{made.authority}"\n'
        own = f'certificate = "{made.certificate}"\nkey = "{made.key}"\n'
        for text in (f'[registry."{home.host}"]\n{own}', table):
            with pytest.raises((Denied, Unavailable)):
                await configured(text).ensure(name)
        assert home.seen == []
        assert await configured(table + own).ensure(name)


async def test_only_the_registry_itself_sees_our_certificate(
    configured: Configured, tmp_path: Path
) -> None:
    """Where it keeps its blobs, its authority is trusted, and nobody is told who we are."""
    made = make_certificate(tmp_path / "certificates")
    wishes = made.server_context()
    wishes.load_verify_locations(made.authority)
    wishes.verify_mode = ssl.CERT_OPTIONAL
    shown: list[tuple[str, bool]] = []
    async with ScriptedRegistry(tls=wishes) as home, ScriptedRegistry(tls=wishes) as store:

        def noting(registry: ScriptedRegistry, bend: Bend | None) -> Bend:
            async def noted(request: web.Request) -> web.StreamResponse | None:
                assert request.transport is not None
                certificate = request.transport.get_extra_info("peercert")
                shown.append((registry.host, bool(certificate)))
                return await bend(request) if bend is not None else None

            return noted

        name = home.add(IMAGE)
        store.add(IMAGE)
        away = faults.on(LARGE, faults.redirect(f"https://{store.host}/v2/web/blobs/{LARGE}"))
        home.bend, store.bend = noting(home, away), noting(store, None)
        text = (
            f'[registry."{home.host}"]\nca = "{made.authority}"\n'
            f'certificate = "{made.certificate}"\nkey = "{made.key}"\n'
        )
        assert await configured(text).ensure(name)
        assert set(shown) == {(home.host, True), (store.host, False)}


@dataclass(slots=True)
class Proxy:
    """An HTTP proxy in this process: whole addresses in requests, and CONNECT."""

    host: str = ""
    targets: list[str] = field(default_factory=list)
    credentials: list[str | None] = field(default_factory=list)
    refuses: bool = False

    async def serve(self, stack: AsyncExitStack) -> None:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        await stack.enter_async_context(listener)
        group = await stack.enter_async_context(anyio.create_task_group())
        stack.callback(group.cancel_scope.cancel)
        self.host = f"127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}"
        group.start_soon(listener.serve, self._one)

    async def _one(self, client: anyio.abc.SocketStream) -> None:
        async with client:
            head = b""
            while b"\r\n\r\n" not in head:
                head += await client.receive()
            line, *fields = head.decode().split("\r\n")
            method, target, _ = line.split()
            self.targets.append(f"{method} {target}")
            given = [f.partition(": ")[2] for f in fields if f.lower().startswith("proxy-auth")]
            self.credentials.append(given[0] if given else None)
            if self.refuses:
                await client.send(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
                return
            place = target.removeprefix("http://").partition("/")[0]
            host, _, port = place.partition(":")
            async with await anyio.connect_tcp(host, int(port)) as server:
                if method == "CONNECT":
                    await client.send(b"HTTP/1.1 200 OK\r\n\r\n")
                else:
                    await server.send(head.replace(f"http://{place}".encode(), b"", 1))
                async with anyio.create_task_group() as group:
                    group.start_soon(self._pump, client, server, group.cancel_scope)
                    group.start_soon(self._pump, server, client, group.cancel_scope)

    async def _pump(
        self,
        source: anyio.abc.SocketStream,
        target: anyio.abc.SocketStream,
        scope: anyio.CancelScope,
    ) -> None:
        try:
            async for piece in source:
                await target.send(piece)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass
        scope.cancel()


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    async with AsyncExitStack() as stack:
        running = Proxy()
        await running.serve(stack)
        yield running


async def test_a_proxy(scripted: ScriptedRegistry, proxy: Proxy, configured: Configured) -> None:
    name = scripted.add(IMAGE)
    text = f'[registry."{scripted.host}"]\nproxy = "http://me:pw@{proxy.host}"\n'
    images = configured(text)
    await images.ensure(name)
    assert f"GET http://{scripted.host}/v2/web/manifests/1" in proxy.targets
    assert all(proxy.credentials)

    proxy.refuses = True
    with pytest.raises(StackerError, match=r"proxy|denies") as refused:
        await images.ensure(name, policy="always")
    assert "pw" not in str(refused.value)


async def test_tls_through_a_proxy(proxy: Proxy, configured: Configured, tmp_path: Path) -> None:
    made = make_certificate(tmp_path / "certificates")
    async with ScriptedRegistry(tls=made.server_context()) as home:
        name = home.add(IMAGE)
        text = f'[registry."{home.host}"]\nca = "{made.authority}"\nproxy = "{proxy.host}"\n'
        await configured(text).ensure(name)
        assert set(proxy.targets) == {f"CONNECT {home.host}"}
    proxy.refuses = True
    images = configured(f'[registry."h.io"]\nproxy = "{proxy.host}"\n')
    with pytest.raises(Unavailable, match=r"the proxy does not let us reach h.io:443 \(403\)"):
        await images.ensure("h.io/web:1")
    images = configured('[registry."h.io"]\nproxy = "127.0.0.1:1"\n')
    with pytest.raises(Unavailable, match=r"cannot reach the proxy 127\.0\.0\.1:1: "):
        await images.ensure("h.io/web:1")


async def test_a_broken_file_stops_the_pull(
    scripted: ScriptedRegistry, configured: Configured
) -> None:
    with pytest.raises(StackerError, match=r"registries\.toml: .*neither true nor false"):
        await configured('[registry."h.io"]\nplain_http = 1').ensure(scripted.add(IMAGE))
