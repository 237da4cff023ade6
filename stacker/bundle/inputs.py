"""What the bundle is built from beside the service, the image and the host: one container's own.

Everything here was made or looked up before (``engine/prepare.py``); building it into a
``config.json`` opens no file.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class HostMount:
    """A path of the host that the container sees at ``target``."""

    target: str
    source: str
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerInputs:
    container_id: str
    name: str
    stack: str
    hostname: str
    rootfs: str
    """Where the stacked layers are mounted on the host."""
    cgroups_path: str
    """For ``linux.cgroupsPath``."""
    network_namespace: str | None = None
    """Path of the namespace to join; None: the host's (``network_mode: host``)."""
    pid_namespace: str | None = None
    """Path of another container's, for ``pid: service:…``."""
    ipc_namespace: str | None = None
    files: tuple[HostMount, ...] = ()
    """hosts, hostname, resolv.conf, configs and secrets, each a single file."""
    volumes: dict[str, str] = field(default_factory=dict[str, str])
    """Target → path on the host, for each volume and bind mount of the service, and for each
    volume that the image declares and the service does not."""
    passwd: bytes | None = None
    """The image's /etc/passwd; None: it has none."""
    group: bytes | None = None
    seccomp_profile: bytes | None = None
    """Content of the file that ``security_opt: seccomp:PATH`` names."""
    default_runtime_environment: dict[str, str] = field(default_factory=dict[str, str])
    """Variables that every container gets, beneath the image's."""
