"""What a service mounts: host paths, volumes, memory. `tmpfs:` of the file ends here as well."""

from __future__ import annotations

from typing import Literal

from stacker.stack.model.values import Model

Propagation = Literal["private", "rprivate", "shared", "rshared", "slave", "rslave"]

Relabel = Literal["z", "Z"]
"""SELinux: `z` shares the label among containers, `Z` is for this container alone."""


class BindOptions(Model):
    propagation: Propagation = "rprivate"
    create_host_path: bool = True
    selinux: Relabel | None = None


class VolumeOptions(Model):
    nocopy: bool = False
    """Leave a new volume empty instead of filling it with what the image holds at the target."""
    subpath: str | None = None
    selinux: Relabel | None = None


class TmpfsOptions(Model):
    size: int | None = None
    mode: int | None = None
    """None: 1777, as the kernel has it for a tmpfs."""
    uid: int | None = None
    gid: int | None = None
    options: tuple[str, ...] = ()
    """Further mount flags, such as `exec`; the default is `nosuid`, `nodev`, `noexec`."""


class Mount(Model):
    """One mount; exactly the options of its own type are set."""

    type: Literal["bind", "volume", "tmpfs"]
    source: str | None = None
    """bind: an absolute path of the host. volume: a key of `Stack.volumes`, None where the
    volume is anonymous. tmpfs: None."""
    target: str
    read_only: bool = False
    bind: BindOptions | None = None
    volume: VolumeOptions | None = None
    tmpfs: TmpfsOptions | None = None
