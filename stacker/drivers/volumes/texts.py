"""Small text files that containers mount: hosts, hostname, resolv.conf; one directory for each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from stacker.drivers.volumes.relabel import label_file
from stacker.drivers.volumes.volumes import translate


def write(directory: Path, files: Mapping[str, str], *, owner: int, label: str | None) -> None:
    """Write in place: what a running container has mounted is the very file.

    ``owner``: the host's number of who is root in the container.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, text in files.items():
            path = directory / name
            path.write_text(text)
            path.chmod(0o644)
            os.chown(path, owner, owner)
            label_file(path, label)
    except OSError as error:
        raise translate(error, f"write {directory}") from error


def sweep(directory: Path, kept: Collection[str]) -> None:
    """Remove the directories below whose name is not among ``kept``."""
    if not directory.is_dir():
        return
    for path in directory.iterdir():
        if path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)
