"""Logging in: the registry decides first, and what is kept opens it; nobody else gets it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from stacker.base.errors import Denied, Invalid, NotFound, StackerError
from stacker.drivers.images.images import Images
from tests.integration.images.conftest import QUICK, OpenImages
from tests.registries import faults
from tests.registries.debian import PASSWORD, USER, debian_registry, htpasswd_auth
from tests.registries.made import TinyImage, member, tar_of
from tests.registries.scripted import ScriptedRegistry
from tests.registries.tokens import REFRESH_TOKEN, TokenServer
from tests.support.auth import auth_file, received

IMAGE = TinyImage((tar_of(member("a", b"a" * 1000)),))


@pytest.fixture
def quiet_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's files but our own."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "xdg"))
    for name in ("REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def here(images: Images, scripted: ScriptedRegistry) -> str:
    name = scripted.add(IMAGE)
    await images.ensure(name)
    return name


@pytest.mark.usefixtures("quiet_home")
async def test_basic(here: str, open_images: OpenImages, tmp_path: Path, root: Path) -> None:
    images = open_images(auth_files=None)
    with debian_registry(tmp_path / "basic", auth=htpasswd_auth(tmp_path)) as registry:
        target = f"{registry.host}/private/web:1"
        with pytest.raises(Denied, match=f"login to {registry.host}: .*refuses .* of 'user'"):
            await images.login(registry.host, user=USER, password="wrong")
        assert not (root / "auth.json").exists()

        await images.login(registry.host, user=USER, password=PASSWORD)
        assert (root / "auth.json").stat().st_mode & 0o777 == 0o600
        assert await images.push(here, target=target)
        await images.logout(registry.host)
        with pytest.raises(Denied, match="there are none for it"):
            await images.remote.head(target)
        with pytest.raises(NotFound, match=f"no login for {registry.host}"):
            await images.logout(registry.host)


@pytest.mark.usefixtures("quiet_home")
@pytest.mark.parametrize("lasting", [False, True], ids=["password", "refresh token"])
async def test_token(
    lasting: bool, here: str, open_images: OpenImages, tmp_path: Path, root: Path
) -> None:
    async with TokenServer(tmp_path / "tokens", lasting=lasting) as tokens:
        with debian_registry(tmp_path / "bearer", auth=tokens.auth()) as registry:
            realm = tokens.realm.removeprefix("http://").removesuffix("/token")
            images = open_images(auth_files=None, realms={registry.host: frozenset({realm})})
            with pytest.raises(Denied, match="token from 127"):
                await images.login(registry.host, user=USER, password="wrong")
            await images.login(registry.host, user=USER, password=PASSWORD)
            kept = json.loads((root / "auth.json").read_text())["auths"][registry.host]
            if lasting:
                assert kept == {"identitytoken": REFRESH_TOKEN}
            tokens.requests.clear()
            assert await images.push(here, target=f"{registry.host}/private/web:1")
            (asked,) = tokens.requests
            assert (asked.refresh_token == REFRESH_TOKEN) is lasting
            assert (asked.authorization is None) is lasting
            assert asked.scope == "repository:private/web:pull,push"
            assert await images.ensure(f"{registry.host}/private/web:1")


@pytest.mark.parametrize("name", ["myhost", "docker.io/team", "https://h.io", "-", "h.io/", ""])
async def test_what_is_no_registry_gets_no_login(name: str, images: Images, root: Path) -> None:
    """`myhost/web` is an image of Docker's registry, which must not get the password."""
    with pytest.raises(Invalid, match="is not a registry: it is written HOST"):
        await images.login(name, user=USER, password=PASSWORD)
    with pytest.raises(Invalid):
        await images.remote.repositories(name)
    assert not (root / "auth.json").exists()


@pytest.fixture
async def evil() -> AsyncIterator[ScriptedRegistry]:
    async with ScriptedRegistry() as running:

        async def token(request: web.Request) -> web.StreamResponse:
            return web.json_response({"token": "evil-token"})

        running.bend = faults.on("/token", token)
        yield running


def demanding(realm: str) -> faults.Bend:
    async def bent(request: web.Request) -> web.StreamResponse | None:
        if request.headers.get("Authorization") == "Bearer evil-token":
            return None
        return web.Response(status=401, headers={"WWW-Authenticate": f'Bearer realm="{realm}"'})

    return faults.on("/v2/", bent)


@pytest.mark.usefixtures("quiet_home")
async def test_a_login_goes_to_no_stranger(
    scripted: ScriptedRegistry, evil: ScriptedRegistry, open_images: OpenImages, root: Path
) -> None:
    """Its token would open the registry, and the login would count as verified."""
    scripted.bend = demanding(f"http://{evil.host}/token")
    with pytest.raises(Denied, match="which is not known to belong to it"):
        await open_images(auth_files=None).login(scripted.host, user=USER, password=PASSWORD)
    assert evil.seen == []
    assert not received(scripted)
    assert not (root / "auth.json").exists()


@pytest.mark.parametrize("entry", [{"identitytoken": "t-canary"}, {"registrytoken": "t-canary"}])
async def test_tokens_go_to_no_stranger(
    entry: dict[str, str],
    scripted: ScriptedRegistry,
    evil: ScriptedRegistry,
    tmp_path: Path,
    open_images: OpenImages,
) -> None:
    name = scripted.add(IMAGE)
    file = tmp_path / "auth.json"
    file.write_text(json.dumps({"auths": {scripted.host: entry}}))
    scripted.bend = demanding(f"http://{evil.host}/token")
    images = open_images(auth_files=[file])
    if "registrytoken" in entry:
        with pytest.raises(Denied, match="refuses the credentials of a registry token"):
            await images.ensure(name)
    else:
        assert await images.ensure(name)  # as a stranger
    assert not received(evil, secret="t-canary")


async def test_an_identity_token_is_not_redirected(
    scripted: ScriptedRegistry, evil: ScriptedRegistry, tmp_path: Path, open_images: OpenImages
) -> None:
    """It is in the body of the request, which a redirect would repeat elsewhere."""
    name = scripted.add(IMAGE)
    file = tmp_path / "auth.json"
    file.write_text(json.dumps({"auths": {scripted.host: {"identitytoken": "t-canary"}}}))
    to_evil = faults.on("/token", faults.redirect(f"http://{evil.host}/token", code=307))
    demand = demanding(f"http://{scripted.host}/token")

    async def bend(request: web.Request) -> web.StreamResponse | None:
        return await to_evil(request) or await demand(request)

    scripted.bend = bend
    with pytest.raises(StackerError, match=r"token from .*\(307\)"):
        await open_images(auth_files=[file]).ensure(name)
    assert evil.seen == []


@pytest.mark.usefixtures("quiet_home")
@pytest.mark.parametrize("place", ["REGISTRY_AUTH_FILE", "CREDENTIALS_DIRECTORY", "DOCKER_CONFIG"])
async def test_places_of_others(
    place: str, scripted: ScriptedRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def demand(request: web.Request) -> web.StreamResponse | None:
        if "Authorization" in request.headers:
            return None
        return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})

    name = scripted.add(IMAGE)
    scripted.bend = demand
    written = auth_file(tmp_path, scripted.host)
    names = {"CREDENTIALS_DIRECTORY": "registry-auth", "DOCKER_CONFIG": "config.json"}
    target = written.rename(tmp_path / names.get(place, "any.json"))
    monkeypatch.setenv(place, str(target if place == "REGISTRY_AUTH_FILE" else tmp_path))
    assert await Images(tmp_path / "root", patience=QUICK).ensure(name)
    assert received(scripted)
