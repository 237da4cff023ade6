"""Whether a root file system can be shown with the ids of a container.

Called by `mounts`. It takes id-mapped mounts of the layers (EROFS: Linux 5.19) and of the writable
layer's file system, and an overlayfs that stacks them (5.19). The answer depends on the file
system of the state root, so it is tried there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from stacker.base.errors import StackerError, Unsupported
from stacker.base.id_range import IdRange
from stacker.drivers.mounts.probe import probe_image

_IDS = IdRange(2**31, 1)
_NAME = ".probe-ids"
"""Always the same: what somebody who was killed has left goes the next time."""


def probe_id_maps(
    directory: Path,
    run: Path,
    *,
    erofs: bool,
    mount: Callable[..., None],
    unmount: Callable[[Path], None],
) -> None:
    """Raises Unsupported, with the step that the kernel refuses; leaves nothing.

    `mount` and `unmount` are those of the `MountTree` whose mounts are asked about.
    """
    place, target = directory / _NAME, run / _NAME
    shutil.rmtree(place, ignore_errors=True)
    try:
        layer, container = place / "layer", place / "container"
        container.mkdir(0o700, parents=True)
        if erofs:
            layer.write_bytes(probe_image())
        else:
            layer.mkdir(0o700)
            (layer / "probe").touch()
        mount([layer], container / "upper", container / "work", target, ids=_IDS)
        try:
            _look(target, container / "upper")
        finally:
            unmount(target)
    except (OSError, StackerError) as error:
        reason = error.message if isinstance(error, StackerError) else error.strerror
        raise Unsupported(f"this host cannot map the ids of a container's files: {reason}") from (
            error
        )
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _look(target: Path, upper: Path) -> None:
    """A file of the layer is the container's, and one that is given to it is 0's on the disk."""
    (target / "new").touch()
    os.chown(target / "new", _IDS.first, _IDS.first)
    if os.stat(target / "probe").st_uid != _IDS.first or os.stat(upper / "new").st_uid != 0:
        raise Unsupported("overlayfs shows other owners")
