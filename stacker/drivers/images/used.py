"""When each image was last used: one empty file a manifest, whose time says it.

Not in index.json, which would have to be written anew at each look; and lost without harm. Blocks.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path

from stacker.oci.digest import Digest


class Used:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def seen(self, manifests: Iterable[Digest], now: float) -> None:
        for digest in manifests:
            mark = self._mark(digest)
            mark.touch(mode=0o600)
            os.utime(mark, (now, now))

    def at(self, manifest: Digest) -> float:
        """Seconds since the epoch; 0 for what was never seen, as what other tools have put here."""
        try:
            return self._mark(manifest).stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def forget(self, kept: Collection[Digest]) -> None:
        """Remove the marks of manifests that are not among `kept`."""
        names = {self._mark(digest).name for digest in kept}
        for mark in self._folder.iterdir():
            if mark.name not in names:
                mark.unlink(missing_ok=True)

    def _mark(self, digest: Digest) -> Path:
        return self._folder / f"{digest.algorithm}-{digest.hex}"
