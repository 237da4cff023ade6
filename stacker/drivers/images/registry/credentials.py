"""Credentials of registries, out of the files that `docker login` and `podman login` write.

Read once for each pull, so a fresh login counts at once. A secret is never part of a message.
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

LEGACY_KEYS = {"docker.io": ("https://index.docker.io/v1/", "index.docker.io")}
"""What Docker calls its own registry in its files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    user: str
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        """The value of an Authorization header."""
        pair = f"{self.user}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode('ascii')}"


def default_files(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Where docker and podman keep them, first one first."""
    home = Path(environment.get("HOME") or "/root")
    runtime = environment.get("XDG_RUNTIME_DIR") or "/run"
    named = environment.get("REGISTRY_AUTH_FILE")
    docker = Path(environment.get("DOCKER_CONFIG") or home / ".docker")
    return (
        *((Path(named),) if named else ()),
        Path(runtime) / "containers/auth.json",
        Path("/run/containers/0/auth.json"),
        home / ".config/containers/auth.json",
        docker / "config.json",
    )


def find(files: Iterable[Path], *, domain: str, path: str) -> Credentials | None:
    """The credentials for a repository: the most exact key of the first file that has one."""
    for file in files:
        auths = _auths(file)
        if auths is None:
            continue
        for key in _keys(domain, path):
            entry = auths.child(key)
            if entry is not None and (found := _decode(entry, file=file, key=key)):
                return found

    return None


def _keys(domain: str, path: str) -> Iterable[str]:
    """podman's keys may name a repository or part of one; docker's name a host or a URL."""
    parts = path.split("/")
    for length in range(len(parts), 0, -1):
        yield "/".join((domain, *parts[:length]))
    yield domain
    yield from LEGACY_KEYS.get(domain, ())
    yield f"https://{domain}"
    yield f"https://{domain}/"
    yield f"https://{domain}/v1/"
    yield f"https://{domain}/v2/"


def _auths(file: Path) -> Fields | None:
    try:
        with open(file, "rb", opener=_open_regular) as stream:
            data = stream.read(FILE_LIMIT + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Failed(
            f"read credentials {file}: {(error.strerror or str(error)).lower()}"
        ) from error

    return load_object(data or b"{}", what=str(file), limit=FILE_LIMIT).child("auths")


def _open_regular(path: str, flags: int) -> int:
    """Never hang on a FIFO that lies where a file should."""
    return os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK)


def _decode(entry: Fields, *, file: Path, key: str) -> Credentials | None:
    text = entry.text_or_none("auth")
    if not text:
        user, password = entry.text_or_none("username"), entry.text_or_none("password")
        return Credentials(user=user, password=password) if user and password else None

    try:
        user, colon, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Invalid(f"credentials {file}: auth of {key} is not base64") from error

    if not colon or not user:
        raise Invalid(f"credentials {file}: auth of {key} is not user:password")

    return Credentials(user=user, password=password.rstrip("\0"))
