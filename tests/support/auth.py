"""Login files as docker and podman write them, and whether their secrets have gone astray."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from tests.registries.debian import PASSWORD, USER
from tests.registries.scripted import ScriptedRegistry


def auth_file(folder: Path, host: str, password: str = PASSWORD, *, user: str = USER) -> Path:
    """A file with one login; its path."""
    file = folder / f"auth-{password.replace(' ', '')}.json"
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    file.write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    return file


def received(server: ScriptedRegistry, *, secret: str = PASSWORD, user: str = USER) -> list[str]:
    """Requests with anything in them that could be the credential."""
    coded = base64.b64encode(f"{user}:{secret}".encode()).decode()
    return [
        seen.path
        for seen in server.seen
        if any(mark in f"{seen.path} {seen.headers}" for mark in (secret, coded))
    ]
