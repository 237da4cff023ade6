"""Debian's buildah with a store of its own, as a maker of images."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.registries.debian import run


@dataclass(frozen=True, slots=True, kw_only=True)
class Buildah:
    folder: Path

    def __call__(self, *arguments: str) -> str:
        """Run a command; what it prints."""
        store = ("--root", str(self.folder / "r"), "--runroot", str(self.folder / "n"))
        said = run("buildah", *store, "--storage-driver", "vfs", *arguments)
        return said.decode().strip()

    @contextmanager
    def mounted(self, container: str) -> Iterator[Path]:
        """The file system of a working container."""
        yield Path(self("mount", container))
        self("umount", container)


@contextmanager
def buildah() -> Iterator[Buildah]:
    """A store below a short path: buildah takes no long ones."""
    made = Buildah(folder=Path(tempfile.mkdtemp(prefix="bld-", dir="/tmp")))
    try:
        yield made
        made("rm", "--all")
        made("rmi", "--all", "--force")
    finally:
        shutil.rmtree(made.folder, ignore_errors=True)
