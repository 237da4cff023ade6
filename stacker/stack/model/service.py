"""One service, complete: what the file said, what it extended, and the defaults.

Three keys of the specification are not here because loading carries them out:
`env_file` became `environment`, `tmpfs` became `volumes`, `deploy.resources` became the limits.
"""

from __future__ import annotations

from collections.abc import Mapping

from stacker.stack.model.attachment import Link, NetworkAttachment, Port
from stacker.stack.model.deploy import Deploy
from stacker.stack.model.files import FileMount
from stacker.stack.model.health import Healthcheck
from stacker.stack.model.life import Dependency, Logging, RestartPolicy
from stacker.stack.model.mount import Mount
from stacker.stack.model.security import Device, SecurityOptions, Ulimit
from stacker.stack.model.values import Model


class Service(Model):
    # what runs
    image: str
    pull_policy: str = "missing"
    """As `oci.pull_policy` reads it."""
    platform: str | None = None
    runtime: str | None = None
    entrypoint: tuple[str, ...] | None = None
    """None: the image's. Empty: no entry point, and the image's command is dropped too."""
    command: tuple[str, ...] | None = None
    """None: the image's."""
    environment: Mapping[str, str] = {}
    working_dir: str | None = None
    user: str | None = None
    group_add: tuple[str, ...] = ()
    init: bool = False
    tty: bool = False
    stdin_open: bool = False
    labels: Mapping[str, str] = {}

    # how long it lives
    restart: RestartPolicy = RestartPolicy()
    depends_on: Mapping[str, Dependency] = {}
    """Links and shared namespaces are in here too."""
    healthcheck: Healthcheck | None = None
    stop_signal: str | None = None
    stop_grace_period: float = 10.0
    deploy: Deploy = Deploy()
    profiles: tuple[str, ...] = ()
    container_name: str | None = None
    logging: Logging = Logging()

    # how it is reached
    networks: Mapping[str, NetworkAttachment] = {}
    """Key of `Stack.networks`; empty where `network_mode` is set. The first one, in this order,
    gives the default route."""
    network_mode: str | None = None
    """None, `host`, `none` or `service:NAME`."""
    ports: tuple[Port, ...] = ()
    expose: tuple[str, ...] = ()
    """`80/tcp`; documentation only: within a network every port is open."""
    links: tuple[Link, ...] = ()
    hostname: str | None = None
    extra_hosts: Mapping[str, tuple[str, ...]] = {}
    """Name → addresses; the word `host-gateway` stands for the host's own."""
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_opt: tuple[str, ...] = ()

    # what it sees
    volumes: tuple[Mount, ...] = ()
    configs: tuple[FileMount, ...] = ()
    secrets: tuple[FileMount, ...] = ()
    devices: tuple[Device, ...] = ()
    read_only: bool = False
    shm_size: int | None = None

    # what it may
    privileged: bool = False
    cap_add: tuple[str, ...] = ()
    """`CAP_NET_ADMIN`, or `ALL`."""
    cap_drop: tuple[str, ...] = ()
    security_opt: SecurityOptions = SecurityOptions()
    pid: str | None = None
    """None, `host` or `service:NAME`."""
    ipc: str | None = None
    """None, `private`, `shareable`, `host`, `none` or `service:NAME`."""
    uts: str | None = None
    """None or `host`."""
    userns_mode: str | None = None
    """None (the host's), `auto` or `auto:size=N`."""
    sysctls: Mapping[str, str] = {}
    ulimits: Mapping[str, Ulimit] = {}

    # how much it gets; -1 is "no limit" where the specification has it
    cpus: float | None = None
    cpuset: str | None = None
    cpu_shares: int | None = None
    mem_limit: int | None = None
    mem_reservation: int | None = None
    memswap_limit: int | None = None
    pids_limit: int | None = None
