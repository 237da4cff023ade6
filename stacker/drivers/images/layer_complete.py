"""The image of corrections that a layer may need over the layers below it.

Called by the store for each layer whose `LayerResult.implied` is set, once all below it are there,
in a worker thread. The result belongs to the chain id, not to the diff id, and is mounted directly
above the layer. It is small: directories mostly, and the few files that had to be copied.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from stacker.drivers.images.directory.body import correct
from stacker.drivers.images.layer_file import LayerFile
from stacker.drivers.images.layer_sink import FileSink
from stacker.drivers.images.steps import on_disk
from stacker.oci.erofs.complete import SIZE_MAX, Completion
from stacker.oci.erofs.reader import Image
from stacker.oci.erofs.writer import Writer
from stacker.oci.image import LayerFormat


def complete_layer(
    layer: Path,
    lowers: Sequence[Path],
    target: Path,
    *,
    format: LayerFormat = LayerFormat.EROFS,
    size_max: int = SIZE_MAX,
) -> int | None:
    """Writes the corrections of `layer` over `lowers` to `target`, a new file or directory, and
    returns their size; None when there is nothing to correct.

    `lowers`, lowest first, are all the images below it, with their own corrections among them.
    Raises Corrupt when a hard link leads nowhere, or a path through what is no directory; and when
    they would be larger than `size_max`.
    """
    directory = format is LayerFormat.DIRECTORY
    identity = _identity(layer, lowers)
    if directory or any(path.is_dir() for path in (*lowers, layer)):
        return correct(
            layer, lowers, target, identity=identity, directory=directory, size_max=size_max
        )
    with ExitStack() as opened:
        images = [_image(path, opened) for path in (*lowers, layer)]
        completion = Completion(images[-1], images[:-1])
        if not completion.needed:
            return None
        sink = FileSink(target)
        try:
            size = completion.write(Writer(sink), identity, size_max=size_max)
            sink.close(size)
        except BaseException:
            sink.discard()
            raise
        return size


def _image(path: Path, opened: ExitStack) -> Image:
    with on_disk("open layer"):
        file = opened.enter_context(path.open("rb", buffering=0))
    return Image(LayerFile(file.fileno()).read)


def _identity(layer: Path, lowers: Sequence[Path]) -> bytes:
    """A UUID for the image, the same whenever it is made."""
    names = b"\0".join(os.fsencode(path.name) for path in (*lowers, layer))
    return hashlib.sha256(names).digest()[:16]
