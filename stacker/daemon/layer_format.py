"""Which form layers have on this host: found out once, at the start, by mounting and sealing one.

Called by `wiring`. EROFS needs a kernel that has it, and leave to mount; a state root on a strange
file system may still refuse. Where it does not work, layers are unpacked into directories.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anyio import to_thread

from stacker.base.errors import Denied, StackerError, Unsupported
from stacker.drivers.images import seals
from stacker.drivers.mounts import Mounts
from stacker.oci.image import LayerFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    format: LayerFormat
    reason: str
    """Of EROFS how it is mounted, of directories why they are used."""

    unsealed: str | None
    """Why the kernel does not watch over the files (fs-verity); None: it does."""

    @property
    def seals(self) -> str:
        return "fs-verity" if self.unsealed is None else f"none ({self.unsealed})"

    def __str__(self) -> str:
        return f"{self.format.value} ({self.reason})"


async def choose(wanted: str, root: Path, mounts: Mounts) -> Chosen:
    """Decide; Unsupported when EROFS is insisted on and cannot be had."""
    if wanted == LayerFormat.DIRECTORY.value:
        return _directories("chosen")

    try:
        method = await mounts.probe(root)
    except (Unsupported, Denied) as error:
        if wanted == LayerFormat.EROFS.value:
            raise Unsupported(f"--layers erofs: {error.message}") from error
        return _directories(error.message)
    except StackerError as error:
        raise type(error)(f"choose the form of layers: {error.message}") from error
    unsealed = await to_thread.run_sync(seals.why_not, root)
    return Chosen(format=LayerFormat.EROFS, reason=method.value, unsealed=unsealed)


def _directories(reason: str) -> Chosen:
    return Chosen(format=LayerFormat.DIRECTORY, reason=reason, unsealed="only files can be sealed")
