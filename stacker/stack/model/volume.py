"""A declared volume."""

from __future__ import annotations

from collections.abc import Mapping

from stacker.stack.model.values import Model


class Volume(Model):
    """A directory kept by stacker, or what mount(2) is told to mount (`driver_opts`)."""

    name: str
    """The name on the host: `<stack>_<key>`, or what the file says."""
    external: bool = False
    """Must exist already; never created or removed for this stack."""
    type: str | None = None
    """`driver_opts.type`: a file system, such as `tmpfs`, `nfs`, `none`."""
    options: str | None = None
    """`driver_opts.o`: its mount options, such as `bind` or `size=64m`."""
    device: str | None = None
    """`driver_opts.device`."""
    labels: Mapping[str, str] = {}
