"""Credentials of registries, out of the files that `docker login`, `podman login` and ours write.

Read once for each piece of work, so a fresh login counts at once. A secret is never part of a
message.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stacker.base.errors import Failed, Invalid
from stacker.oci.fields import Fields, load_object

FILE_LIMIT = 1024 * 1024
SYSTEMD_NAME = "registry-auth"
"""Of a file in $CREDENTIALS_DIRECTORY (systemd.exec(5), LoadCredential=), one like the others."""

LEGACY_KEYS = {"docker.io": ("https://index.docker.io/v1/", "index.docker.io")}
"""What Docker calls its own registry in its files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Password:
    """A name and a password, for basic authentication and for token servers."""

    user: str
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        """The value of an Authorization header."""
        pair = f"{self.user}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode('ascii')}"

    def __str__(self) -> str:
        return repr(self.user)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityToken:
    """A refresh token (RFC 6749 6): a token server exchanges it for one that the registry takes."""

    token: str = field(repr=False)

    def __str__(self) -> str:
        return "an identity token"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryToken:
    """A token that the registry takes as it is."""

    token: str = field(repr=False)

    def __str__(self) -> str:
        return "a registry token"


Credentials = Password | IdentityToken | RegistryToken


def default_files(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Where systemd, podman and docker keep them, first one first."""
    home = Path(environment.get("HOME") or "/root")
    runtime = environment.get("XDG_RUNTIME_DIR") or "/run"
    named = environment.get("REGISTRY_AUTH_FILE")
    handed = environment.get("CREDENTIALS_DIRECTORY")
    docker = Path(environment.get("DOCKER_CONFIG") or home / ".docker")
    return (
        *((Path(named),) if named else ()),
        *((Path(handed) / SYSTEMD_NAME,) if handed else ()),
        Path(runtime) / "containers/auth.json",
        Path("/run/containers/0/auth.json"),
        home / ".config/containers/auth.json",
        docker / "config.json",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Helper:
    """A program that keeps credentials: `docker-credential-NAME`."""

    name: str
    key: str
    """What it is asked for: the registry, as the file or docker calls it."""


def find(files: Iterable[Path], *, domain: str, path: str) -> Credentials | Helper | None:
    """What the first file that knows a repository says of it; its most exact key counts."""
    for file in files:
        if (content := _read(file)) is not None:
            found = _in_file(content, file, domain=domain, path=path)
            if found is not None:
                return found

    return None


def _in_file(content: Fields, file: Path, *, domain: str, path: str) -> Credentials | Helper | None:
    helpers, auths = content.child("credHelpers"), content.child("auths")
    for key in _keys(domain, path):
        if helpers is not None and (name := helpers.text_or_none(key)):
            return Helper(name=name, key=key)

        entry = auths.child(key) if auths is not None else None
        if entry is not None and (found := _decode(entry, file=file, key=key)):
            return found

    # the store of all that the file does not hold itself
    if name := content.text_or_none("credsStore"):
        return Helper(name=name, key=LEGACY_KEYS.get(domain, (domain,))[0])

    return None


def _keys(domain: str, path: str) -> Iterable[str]:
    """podman's keys may name a repository or part of one; docker's name a host or a URL."""
    parts = path.split("/")
    for length in range(len(parts) if path else 0, 0, -1):
        yield "/".join((domain, *parts[:length]))
    yield domain
    yield from LEGACY_KEYS.get(domain, ())
    yield f"https://{domain}"
    yield f"https://{domain}/"
    yield f"https://{domain}/v1/"
    yield f"https://{domain}/v2/"


def _read(file: Path) -> Fields | None:
    try:
        with open(file, "rb", opener=_open_regular) as stream:
            data = stream.read(FILE_LIMIT + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Failed(
            f"read credentials {file}: {(error.strerror or str(error)).lower()}"
        ) from error

    return load_object(data or b"{}", what=str(file), limit=FILE_LIMIT)


def _open_regular(path: str, flags: int) -> int:
    """Never hang on a FIFO that lies where a file should."""
    return os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK)


def _decode(entry: Fields, *, file: Path, key: str) -> Credentials | None:
    if token := entry.text_or_none("registrytoken"):
        return RegistryToken(token=token)
    if token := entry.text_or_none("identitytoken"):
        return IdentityToken(token=token)

    text = entry.text_or_none("auth")
    if not text:
        user, password = entry.text_or_none("username"), entry.text_or_none("password")
        return Password(user=user, password=password) if user and password else None

    try:
        user, colon, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Invalid(f"credentials {file}: auth of {key} is not base64") from error

    if not colon or not user:
        raise Invalid(f"credentials {file}: auth of {key} is not user:password")

    return Password(user=user, password=password.rstrip("\0"))
