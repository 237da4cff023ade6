"""Whiteouts: how a layer says that something of a lower layer is gone.

image-spec layer.md, "Whiteouts": an empty file ``.wh.NAME`` hides NAME of the layers below;
``.wh..wh..opq`` hides all that they have in the directory. Neither hides what its own layer holds,
in whatever order the archive lists them. overlayfs says the same with a device 0:0 and with an
xattr (kernel: filesystems/overlayfs.rst, "whiteouts and opaque directories").
"""

from __future__ import annotations

from stacker.base.errors import Corrupt

PREFIX = b".wh."
OPAQUE_MARKER = b".wh..wh..opq"

OVERLAY_OPAQUE = (b"trusted.overlay.opaque", b"y")
"""The xattr of an opaque directory."""
OVERLAY_PRIVATE = b"trusted.overlay."
"""overlayfs neither shows nor copies xattrs of this prefix."""

IMPLIED = OVERLAY_PRIVATE + b"stacker.implied"
"""Our xattr, which overlayfs hides, on directories that are in a layer without being listed."""
UNRESOLVED = OVERLAY_PRIVATE + b"stacker.link"
"""Our xattr on symlinks that stand for hard links to files of lower layers."""


def is_reserved(name: bytes) -> bool:
    """Whether a file name can only be a whiteout: no file of an image may be called so."""
    return name.startswith(PREFIX)


def hidden_name(name: bytes) -> bytes:
    """What the whiteout `name` hides; Corrupt when it is none (layer.md: such names are invalid).

    ``.wh..wh.*`` other than the opaque marker is AUFS's bookkeeping, never content.
    """
    hidden = name[len(PREFIX) :]
    if not name.startswith(PREFIX) or hidden in (b"", b".", b"..") or is_reserved(hidden):
        raise Corrupt(f"whiteout {name!r} is not valid")
    return hidden
