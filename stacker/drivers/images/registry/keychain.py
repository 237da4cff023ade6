"""Finding the credentials of a repository: in files, and from the helpers that the files name.

A helper is a program of the host, `docker-credential-NAME`. It is asked for one registry, by the
name that the user or docker gives it, and never with anything that a registry has said.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import anyio

from stacker.base.errors import Failed, Invalid
from stacker.base.text import clean
from stacker.drivers.images.registry import credentials
from stacker.drivers.images.registry.credentials import (
    Credentials,
    Helper,
    IdentityToken,
    Password,
)
from stacker.drivers.images.registry.logins import Logins
from stacker.oci.fields import load_object

HELPER_TIMEOUT_S = 30
ANSWER_LIMIT = 64 * 1024
NOT_FOUND = b"credentials not found"
TOKEN_USER = "<token>"
"""What a helper says in the place of a user where the secret is an identity token."""

_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)


class Keychain:
    """The credentials of all registries; the first file that knows one decides."""

    def __init__(self, files: Sequence[Path], *, logins: Logins | None = None) -> None:
        """`logins` are our own, and come before the files of others."""
        self._files = tuple(files)
        self._logins = logins

    async def find(
        self, *, domain: str, path: str = "", stack: str | None = None
    ) -> Credentials | None:
        """The credentials for a repository, or without a path for a registry as such.

        What a stack has of its own comes first.
        """
        own = self._logins.files(stack) if self._logins is not None else ()
        found = credentials.find((*own, *self._files), domain=domain, path=path)
        return await ask(found) if isinstance(found, Helper) else found


async def ask(helper: Helper) -> Credentials | None:
    """What a helper has for a registry; None where it has nothing."""
    program = f"docker-credential-{helper.name}"
    if not _HELPER.fullmatch(helper.name):
        raise Invalid(f"{helper.name[:80]!r} is no name of a credential helper")

    try:
        with anyio.fail_after(HELPER_TIMEOUT_S):
            done = await anyio.run_process(
                [program, "get"], input=helper.key.encode(), stderr=subprocess.DEVNULL, check=False
            )
    except FileNotFoundError as error:
        raise Failed(f"credential helper {program} is not installed") from error
    except TimeoutError as error:
        raise Failed(f"credential helper {program} does not answer in time") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Failed(f"credential helper {program}: {reason}") from error

    if done.returncode != 0:
        if NOT_FOUND in done.stdout:
            return None
        said = clean(done.stdout[:200].decode(errors="replace").strip())
        raise Failed(f"credential helper {program} failed for {helper.key}: {said}")

    fields = load_object(done.stdout, what=program, limit=ANSWER_LIMIT)
    user, secret = fields.text_or_none("Username"), fields.text_or_none("Secret")
    if not secret:
        return None
    if user == TOKEN_USER:
        return IdentityToken(token=secret)
    return Password(user=user, password=secret) if user else None
