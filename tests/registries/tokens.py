"""A token server in this process, as the registries of the public network have one.

Signs with an RSA key made by openssl; docker-registry verifies against its certificate.
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import encode_basic_auth, web

from tests.registries.debian import PASSWORD, USER, run

ISSUER, SERVICE = "stacker test", "registry"
REFRESH_TOKEN = "lasting-canary"


@dataclass(slots=True)
class Issued:
    scope: str
    authorization: str | None
    refresh_token: str | None = None


class TokenServer:
    """`async with` it; `requests` is what it has been asked."""

    def __init__(self, folder: Path, *, anonymous: bool = False, lasting: bool = False) -> None:
        """With `lasting` it gives refresh tokens to those who ask for them."""
        folder.mkdir(parents=True)
        self.certificate = folder / "token.crt"
        self._key = folder / "token.key"
        run(
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-keyout", str(self._key), "-out", str(self.certificate), "-subj", "/CN=tokens",
        )  # fmt: skip
        self._anonymous = anonymous
        self._lasting = lasting
        self.requests: list[Issued] = []
        self.refused = ""
        """A scope that is refused, and with it whatever else was asked for."""
        app = web.Application()
        app.router.add_get("/token", self._token)
        app.router.add_post("/token", self._refreshed)
        self._runner = web.AppRunner(app)
        self.realm = ""

    def auth(self) -> str:
        """The configuration of a docker-registry that trusts it."""
        return (
            f"  token: {{realm: '{self.realm}', service: {SERVICE}, issuer: {ISSUER}, "
            f"rootcertbundle: {self.certificate}}}"
        )

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.realm = f"http://127.0.0.1:{port}/token"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    async def _token(self, request: web.Request) -> web.Response:
        header = request.headers.get("Authorization")
        scopes = request.query.getall("scope", [])
        self.requests.append(Issued(" ".join(scopes), header))
        if self.refused in scopes:
            return web.json_response({"errors": [{"code": "DENIED"}]}, status=403)
        allowed = self._anonymous or header == encode_basic_auth(USER, PASSWORD)
        if not allowed and header is not None:
            return web.json_response({"errors": [{"code": "UNAUTHORIZED"}]}, status=401)
        answer = {"token": self._issue(scopes if allowed else [], subject=USER if header else "")}
        if self._lasting and allowed and request.query.get("offline_token") == "true":
            answer["refresh_token"] = REFRESH_TOKEN
        return web.json_response(answer)

    async def _refreshed(self, request: web.Request) -> web.Response:
        form = await request.post()
        scope, token = str(form["scope"]), str(form["refresh_token"])
        self.requests.append(Issued(scope, None, token))
        if form["grant_type"] != "refresh_token" or token != REFRESH_TOKEN:
            return web.json_response({"error": "invalid_grant"}, status=401)
        issued = self._issue(scope.split(), subject=USER)
        return web.json_response({"access_token": issued, "expires_in": 300})

    def _issue(self, scopes: list[str], *, subject: str) -> str:
        now = int(time.time())
        return self._sign(
            {
                "iss": ISSUER,
                "aud": SERVICE,
                "sub": subject,
                "iat": now - 5,
                "nbf": now - 5,
                "exp": now + 300,
                "jti": str(len(self.requests)),
                "access": [_access(scope) for scope in scopes],
            }
        )

    def _sign(self, claims: dict[str, object]) -> str:
        lines = self.certificate.read_text().splitlines()
        header = {"typ": "JWT", "alg": "RS256", "x5c": ["".join(lines[1:-1])]}
        signed = ".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
        signature = run("openssl", "dgst", "-sha256", "-sign", str(self._key), data=signed.encode())
        return f"{signed}.{_encoded(signature)}"


def _access(scope: str) -> dict[str, object]:
    kind, _, rest = scope.partition(":")
    name, _, actions = rest.rpartition(":")
    return {"type": kind, "name": name, "actions": actions.split(",")}


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
