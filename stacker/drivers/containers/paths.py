"""Where the files of containers lie."""

from __future__ import annotations

from pathlib import Path

from stacker.base.atomic import sweep_unfinished
from stacker.base.errors import Invalid
from stacker.base.ids import is_id


class Paths:
    """Of one state root: ``run`` is forgotten at a reboot, ``root`` is not."""

    def __init__(self, *, root: Path, run: Path) -> None:
        self.root = root
        self.run = run
        self.journal = run / "exits"
        self.bundles = run / "containers"
        self.runtime_states = run / "runtime"

    def prepare(self) -> None:
        for directory in (self.run, self.bundles, self.runtime_states):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        sweep_unfinished(self.bundles.iterdir())

    def bundle(self, container_id: str) -> Path:
        """The OCI bundle: config.json, named pipes, pid file; without the root file system."""
        if not is_id(container_id):
            raise Invalid(f"container id {container_id!r} is not one of ours")
        return self.bundles / container_id

    def logs(self, container_id: str) -> Path:
        """Segments of frames; they live as long as the container's directory."""
        if not is_id(container_id):
            raise Invalid(f"container id {container_id!r} is not one of ours")
        return self.root / "containers" / container_id / "logs"

    def runtime_state(self, runtime: str) -> Path:
        """The ``--root`` of a runtime; each has its own format."""
        return self.runtime_states / Path(runtime).name
