"""The logins of `stacker login`, in a file that podman and skopeo read too (`auth.json`).

Only root may read it. What others have written into it stays. Methods block.
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
    def __init__(self, file: Path) -> None:
        self.file = file
        self._lock = threading.Lock()

    def keep(self, domain: str, login: Password | IdentityToken) -> None:
        """Keep a login, in the place of any other for the registry."""
        if isinstance(login, Password):
            entry = {"auth": login.basic.removeprefix("Basic ")}
        else:
            entry = {"identitytoken": login.token}

        def keep(auths: Auths) -> None:
            auths[domain] = entry

        self._change(keep)

    def forget(self, domain: str) -> None:
        """Remove the login for a registry."""

        def forget(auths: Auths) -> None:
            if domain not in auths:
                raise NotFound(f"there is no login for {domain} in {self.file}")
            del auths[domain]

        self._change(forget)

    def _change(self, change: Callable[[Auths], None]) -> None:
        with self._lock:
            document = self._read()
            auths = document.setdefault("auths", {})
            if not isinstance(auths, dict):
                raise Corrupt(f"{self.file}: auths is not an object")
            change(cast("Auths", auths))
            try:
                write_atomic(self.file, json.dumps(document, indent=1).encode(), mode=0o600)
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                raise Failed(f"write {self.file}: {reason}") from error

    def _read(self) -> dict[str, object]:
        try:
            data = self.file.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise Failed(f"read {self.file}: {reason}") from error

        document = load_json(data or b"{}", what=str(self.file), limit=FILE_LIMIT)
        if not isinstance(document, dict):
            raise Corrupt(f"{self.file}: is not a JSON object")
        return cast("dict[str, object]", document)
