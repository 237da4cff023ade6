"""C4: a hostile registry or redirect gets no credential, and cannot send us where it likes."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web

from stacker.base.errors import Denied, StackerError
from stacker.drivers.images.images import Images
from tests.integration.images.conftest import OpenImages
from tests.registries import faults
from tests.registries.made import TinyImage, member, tar_of
from tests.registries.scripted import Bend, ScriptedRegistry

SECRET = "s3cret-canary"
IMAGE_LAYERS = (tar_of(member("a", b"a" * 1000)),)


@pytest.fixture
async def evil() -> AsyncIterator[ScriptedRegistry]:
    """A server that would take whatever it gets, and serves the image too."""
    async with ScriptedRegistry() as running:
        running.add(TinyImage(IMAGE_LAYERS))
        running.bend = faults.on("/token", _token_answer)
        yield running


@pytest.fixture
def login(tmp_path: Path, scripted: ScriptedRegistry) -> Path:
    file = tmp_path / "auth.json"
    auth = base64.b64encode(f"me:{SECRET}".encode()).decode()
    file.write_text(json.dumps({"auths": {scripted.host: {"auth": auth}}}))
    return file


async def _token_answer(request: web.Request) -> web.StreamResponse:
    return web.json_response({"token": "evil-token"})


def demanding(challenge: str, *, then: Bend | None = None) -> Bend:
    """Ask for credentials; with them, go on."""

    async def bent(request: web.Request) -> web.StreamResponse | None:
        if "Authorization" not in request.headers:
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        return await then(request) if then else None

    return faults.on("/v2/web", bent)


REALMS: dict[str, str] = {
    "another port": "http://{evil}/token",
    "another name for the same machine": "http://localhost:{evil_port}/token",
    "credentials in it": "http://me:you@{evil}/token",
    "our name as the user": "http://{home}@{evil}/token",
    "without a scheme": "//{evil}/token",
    "no address": "token server",
    "a file": "file:///etc/passwd",
    "empty": "",
    "mixed case": "HTTP://{evil}/TOKEN",
    "a path that looks like us": "http://{evil}/http://{home}/token",
    "a backslash": "http://{evil}\\\\@{home}/token",
}
FOLLOWED = ("another port", "another name for the same machine", "a path that looks like us")
"""Realms that are asked, as any client asks them, but as a stranger."""


@pytest.mark.parametrize("shape", REALMS)
async def test_realm(
    shape: str,
    scripted: ScriptedRegistry,
    evil: ScriptedRegistry,
    login: Path,
    open_images: OpenImages,
) -> None:
    realm = REALMS[shape].format(
        evil=evil.host, home=scripted.host, evil_port=evil.host.rpartition(":")[2]
    )
    name = scripted.add(TinyImage(IMAGE_LAYERS))
    scripted.bend = demanding(
        f'Bearer realm="{realm}",service="x",scope="repository:web:pull,push"'
    )
    images = open_images(auth_files=[login])
    if shape in FOLLOWED:
        assert await images.ensure(name)
        assert evil.count("/token?scope=repository:web:pull&service=x") == 1
    else:
        with pytest.raises(StackerError) as refused:
            await images.ensure(name)
        assert SECRET not in str(refused.value)
    assert not _received(evil)
    # nor does the registry get them: it has asked for a token, not for credentials
    assert not _received(scripted)


REDIRECTS = {
    "another port": "http://{evil}{path}",
    "another name": "http://localhost:{evil_port}{path}",
    "without a scheme": "//{evil}{path}",
    "credentials in it": "http://a:b@{evil}{path}",
}


@pytest.mark.parametrize("shape", REDIRECTS)
@pytest.mark.parametrize("at", ["/manifests/", "/blobs/"])
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_redirect(
    code: int,
    at: str,
    shape: str,
    scripted: ScriptedRegistry,
    evil: ScriptedRegistry,
    login: Path,
    open_images: OpenImages,
) -> None:
    name = scripted.add(TinyImage(IMAGE_LAYERS))

    async def away(request: web.Request) -> web.StreamResponse | None:
        if at not in request.path:
            return None
        location = REDIRECTS[shape].format(
            evil=evil.host, evil_port=evil.host.rpartition(":")[2], path=request.path
        )
        return web.Response(status=code, headers={"Location": location})

    scripted.bend = demanding('Basic realm="x"', then=away)
    images = open_images(auth_files=[login])
    if shape == "credentials in it":
        with pytest.raises(Denied, match="with credentials in it"):
            await images.ensure(name)
    else:
        assert await images.ensure(name)  # a redirect as such is fine: registries use them
        assert evil.count(at)
    assert not _received(evil)
    assert _received(scripted)


async def test_a_redirect_that_asks_for_credentials(
    scripted: ScriptedRegistry, evil: ScriptedRegistry, login: Path, open_images: OpenImages
) -> None:
    name = scripted.add(TinyImage(IMAGE_LAYERS))
    evil.bend = faults.status(401, {"WWW-Authenticate": 'Basic realm="give"'})
    scripted.bend = faults.on("/blobs/", faults.redirect(f"http://{evil.host}/blobs/x"))
    with pytest.raises(Denied):
        await open_images(auth_files=[login]).ensure(name)
    assert not _received(evil)


async def test_no_way_down_from_https(
    evil: ScriptedRegistry, behind_tls: tuple[ScriptedRegistry, Images]
) -> None:
    home, images = behind_tls
    name = home.add(TinyImage(IMAGE_LAYERS))
    home.bend = faults.on("/blobs/", faults.redirect(f"http://{evil.host}/v2/web/blobs/x"))
    with pytest.raises(Denied, match="without TLS"):
        await images.ensure(name)
    home.bend = demanding(f'Bearer realm="http://{evil.host}/token"')
    with pytest.raises(Denied, match="without TLS"):
        await images.ensure(name)
    home.bend = None
    await images.ensure(name)

    async def upload_there(request: web.Request) -> web.StreamResponse:
        place = {"Location": f"http://{evil.host}/v2/x/blobs/uploads/1"}
        return web.Response(status=202 if request.method == "POST" else 404, headers=place)

    home.bend = faults.on("/elsewhere/", upload_there)
    with pytest.raises(Denied, match="without TLS"):
        await images.push(name, target=f"{home.host}/elsewhere:1")
    assert evil.seen == []


async def test_credentials_of_other_hosts_stay_away(
    scripted: ScriptedRegistry, evil: ScriptedRegistry, login: Path, open_images: OpenImages
) -> None:
    """The login is the first registry's; the second asks for it and gets nothing."""
    evil.bend = demanding('Basic realm="give"')
    with pytest.raises(Denied, match="there are none for it"):
        await open_images(auth_files=[login]).ensure(f"{evil.host}/web:1")
    assert not _received(evil)


def _received(server: ScriptedRegistry) -> list[str]:
    """Requests with anything in them that could be a credential."""
    coded = base64.b64encode(f"me:{SECRET}".encode()).decode()
    marks: tuple[Callable[[str], bool], ...] = (
        lambda text: SECRET in text,
        lambda text: coded in text,
    )
    return [
        seen.path
        for seen in server.seen
        if any(mark(f"{seen.path} {seen.headers}") for mark in marks)
    ]
