"""What the bundle needs to know beyond service, image and host: all of it found out already.

Paths are the host's, resolved and existing; the bundle decides how they are mounted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from stacker.base.id_range import IdRange


@dataclass(frozen=True, slots=True, kw_only=True)
class HostMount:
    """A file of the host's that the container sees: /etc/hosts, a config, a secret."""

    target: str
    source: str
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceNode:
    """A device of the host as stat(2) tells of it, and how the container gets it."""

    path: str
    """In the container."""
    kind: Literal["c", "b"]
    major: int
    minor: int
    mode: int = 0o600
    uid: int = 0
    gid: int = 0
    permissions: str = "rwm"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerInputs:
    container_id: str
    name: str
    stack: str
    hostname: str
    rootfs: str
    cgroups_path: str
    network_namespace: str | None = None
    """Path; None: the host's network."""
    user_namespace: str | None = None
    """Path; None: the host's."""
    ids: IdRange | None = None
    """What the user namespace maps; None: all ids, as they are."""
    pid_namespace: str | None = None
    """Path of another container's, for `pid: service:…`."""
    ipc_namespace: str | None = None
    """Path of another container's, for `ipc: service:…`."""
    shared_memory: str | None = None
    """The host's path of a /dev/shm that several containers have; None: one of its own."""
    volumes: Mapping[str, str] = field(default_factory=dict[str, str])
    """Target → path of the host, for binds, volumes, and volumes that the image declares."""
    files: tuple[HostMount, ...] = ()
    passwd: bytes | None = None
    """The image's /etc/passwd, read inside its root and bounded; None: it has none."""
    group: bytes | None = None
    devices: tuple[DeviceNode, ...] = ()
    """Those of `devices:`; for a privileged service all of the host's."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    """Added where neither image nor service sets the variable."""
    console_size: tuple[int, int] | None = None
    """(rows, columns) of the terminal that is attached."""
    apparmor_profile: str | None = None
    """The default profile, where one is loaded."""
    selinux_level: str = "s0"
    """`s0:c1,c2`: the pair of categories that keeps this container from others."""
    seccomp_profile: Mapping[str, object] | None = None
    """A profile of the user's instead of the default one, as OCI's `linux.seccomp`."""
    init_program: str | None = None
    """Path of a static init on the host, for `init: true`."""
