"""The logins of `stacker login`, in files that podman and skopeo read too (`auth.json`).

One for all stacks, and one for each stack that has logins of its own. Only root may read them. What
others have written into them stays. Methods block.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast

from stacker.base.atomic import write_atomic
from stacker.base.errors import Corrupt, Failed, NotFound
from stacker.drivers.images.registry.credentials import FILE_LIMIT, IdentityToken, Password
from stacker.oci.fields import load_json

Auths = dict[str, object]


class Logins:
    def __init__(self, root: Path) -> None:
        """`root` is the state root."""
        self._shared = root / "auth.json"
        self._own = root / "auth"
        self._lock = threading.Lock()

    def files(self, stack: str | None) -> tuple[Path, ...]:
        """Where to look for a stack's logins, first one first."""
        return (self._shared,) if stack is None else (self._file(stack), self._shared)

    def keep(
        self, domain: str, login: Password | IdentityToken, *, stack: str | None = None
    ) -> None:
        """Keep a login, for all or for one stack, in the place of any other for the registry."""
        if isinstance(login, Password):
            entry = {"auth": login.basic.removeprefix("Basic ")}
        else:
            entry = {"identitytoken": login.token}

        def keep(auths: Auths) -> None:
            auths[domain] = entry

        self._change(keep, self._file(stack))

    def forget(self, domain: str, *, stack: str | None = None) -> None:
        """Remove the login for a registry."""
        file = self._file(stack)

        def forget(auths: Auths) -> None:
            if domain not in auths:
                raise NotFound(f"there is no login for {domain} in {file}")
            del auths[domain]

        self._change(forget, file)

    def _file(self, stack: str | None) -> Path:
        # the name of a stack has passed a grammar without slashes
        return self._shared if stack is None else self._own / f"{stack}.json"

    def _change(self, change: Callable[[Auths], None], file: Path) -> None:
        with self._lock:
            document = _read(file)
            auths = document.setdefault("auths", {})
            if not isinstance(auths, dict):
                raise Corrupt(f"{file}: auths is not an object")
            change(cast("Auths", auths))
            try:
                file.parent.mkdir(mode=0o700, exist_ok=True)
                write_atomic(file, json.dumps(document, indent=1).encode(), mode=0o600)
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                raise Failed(f"write {file}: {reason}") from error


def _read(file: Path) -> dict[str, object]:
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Failed(f"read {file}: {(error.strerror or str(error)).lower()}") from error

    document = load_json(data or b"{}", what=str(file), limit=FILE_LIMIT)
    if not isinstance(document, dict):
        raise Corrupt(f"{file}: is not a JSON object")
    return cast("dict[str, object]", document)
