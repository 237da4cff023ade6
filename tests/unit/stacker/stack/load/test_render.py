"""Any stack, printed and loaded again, is the same stack."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stacker.stack.load.canonical.security import CAPABILITIES, ULIMITS
from stacker.stack.load.pipeline import load_stack
from stacker.stack.load.render import render
from stacker.stack.model import (
    BindOptions,
    Config,
    Dependency,
    Deploy,
    Device,
    FileMount,
    Healthcheck,
    Ipam,
    IpamPool,
    Logging,
    Mount,
    Network,
    NetworkAttachment,
    Port,
    RestartPolicy,
    Secret,
    SecurityOptions,
    Service,
    Stack,
    TmpfsOptions,
    Ulimit,
    Volume,
    VolumeOptions,
)

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12)
WORD = st.from_regex(r"[a-zA-Z0-9$_.:/@-]{1,12}", fullmatch=True).filter(lambda text: text != "$")
IMAGE = st.sampled_from(["web", "1.0", "a/b:1", f"[::1]:5000/c@sha256:{'0' * 64}", "h:5000/d:0x1"])
PAIRS = st.dictionaries(st.from_regex(r"[A-Za-z_.$-]{1,8}", fullmatch=True), TEXT, max_size=3)
SIZE = st.integers(1, 2**40)
SECONDS = st.integers(1, 10**9).map(lambda milliseconds: milliseconds / 1000)
TARGET = st.from_regex(r"/[a-z]{1,6}(/[a-z]{1,6})?", fullmatch=True)
HOST_PATH = st.from_regex(r"/[a-zA-Z0-9 _'$-]{1,8}", fullmatch=True)
ADDRESS = st.sampled_from(["127.0.0.1", "10.1.2.3", "::1", "fe80::1"])
MODE = st.integers(0, 0o7777)
ID = st.integers(0, 2**32 - 2)

MOUNT = st.one_of(
    st.builds(
        Mount,
        type=st.just("bind"),
        source=HOST_PATH,
        target=TARGET,
        read_only=st.booleans(),
        bind=st.builds(BindOptions, selinux=st.sampled_from([None, "z", "Z"])),
    ),
    st.builds(
        Mount,
        type=st.just("volume"),
        source=st.sampled_from(["v", "w"]),
        target=TARGET,
        read_only=st.booleans(),
        volume=st.builds(
            VolumeOptions, nocopy=st.booleans(), selinux=st.sampled_from([None, "z", "Z"])
        )
        | st.builds(VolumeOptions, subpath=st.just("a/b")),
    ),
    st.builds(Mount, type=st.just("volume"), target=TARGET, volume=st.builds(VolumeOptions)),
)
TMPFS = st.builds(
    Mount,
    type=st.just("tmpfs"),
    target=TARGET,
    read_only=st.booleans(),
    tmpfs=st.builds(
        TmpfsOptions,
        size=st.none() | SIZE,
        mode=st.none() | MODE,
        uid=st.none() | ID,
        gid=st.none() | ID,
        options=st.sampled_from([(), ("exec",), ("suid", "dev")]),
    ),
)


def distinct(mounts: list[Mount]) -> tuple[Mount, ...]:
    """One mount a target, and memory last, as loading has it."""
    by_target = {mount.target: mount for mount in mounts}
    return tuple(sorted(by_target.values(), key=lambda mount: mount.type == "tmpfs"))


MOUNTS = st.lists(MOUNT | TMPFS, max_size=4).map(distinct)

RESTART = st.one_of(
    st.builds(RestartPolicy, condition=st.sampled_from(["no", "always", "unless-stopped"])),
    st.builds(
        RestartPolicy,
        condition=st.sampled_from(["always", "on-failure"]),
        max_attempts=st.none() | st.integers(1, 100),
        delay=st.none() | SECONDS,
        window=st.none() | SECONDS,
    ),
)
HEALTH = st.just(Healthcheck(disable=True)) | st.builds(
    Healthcheck,
    test=st.none() | st.tuples(st.sampled_from(["CMD", "CMD-SHELL"]), TEXT),
    interval=st.none() | SECONDS,
    timeout=st.none() | SECONDS,
    retries=st.none() | st.integers(1, 100),
    start_period=st.none() | SECONDS,
)
FILES = st.lists(
    st.builds(FileMount, source=st.just("f"), target=TARGET, uid=ID, gid=ID, mode=MODE), max_size=2
).map(tuple)

SERVICE: dict[str, st.SearchStrategy[Any]] = {
    "command": st.none() | st.lists(TEXT, max_size=3).map(tuple),
    "entrypoint": st.none() | st.lists(TEXT, max_size=3).map(tuple),
    "environment": PAIRS,
    "labels": PAIRS,
    "working_dir": st.none() | TARGET,
    "user": st.none() | WORD,
    "group_add": st.lists(WORD, max_size=2).map(tuple),
    "tty": st.booleans(),
    "init": st.booleans(),
    "read_only": st.booleans(),
    "restart": RESTART,
    "healthcheck": st.none() | HEALTH,
    "stop_grace_period": SECONDS,
    "stop_signal": st.sampled_from([None, "SIGTERM", "SIGRTMIN+3"]),
    "deploy": st.builds(Deploy, replicas=st.integers(0, 1), labels=PAIRS),
    "logging": st.builds(
        Logging,
        driver=st.sampled_from(["local", "none"]),
        max_size=st.none() | SIZE,
        max_file=st.none() | st.integers(1, 9),
    ),
    "networks": st.dictionaries(
        st.sampled_from(["n", "m"]),
        st.builds(NetworkAttachment, aliases=st.sampled_from([(), ("x", "y.z")])),
        min_size=1,
    ),
    "ports": st.lists(
        st.builds(
            Port,
            target=st.integers(1, 65535),
            host_ip=st.none() | ADDRESS,
            protocol=st.sampled_from(["tcp", "udp"]),
            mode=st.sampled_from(["ingress", "host"]),
            name=st.none() | TEXT.filter(bool),
        ),
        max_size=3,
        unique=True,
    ).map(tuple),
    "extra_hosts": st.dictionaries(
        st.sampled_from(["a", "b.c"]), st.lists(ADDRESS, min_size=1, max_size=2).map(tuple)
    ),
    "dns": st.lists(ADDRESS, max_size=2).map(tuple),
    "volumes": MOUNTS,
    "configs": FILES,
    "secrets": FILES,
    "devices": st.lists(
        st.builds(
            Device, source=HOST_PATH, target=TARGET, permissions=st.sampled_from(["r", "rwm"])
        ),
        max_size=2,
    ).map(tuple),
    "cap_add": st.lists(
        st.sampled_from(["ALL", *(f"CAP_{name}" for name in CAPABILITIES)]), max_size=2
    ).map(tuple),
    "security_opt": st.builds(
        SecurityOptions,
        no_new_privileges=st.booleans(),
        apparmor=st.none() | WORD,
        seccomp=st.sampled_from([None, "unconfined"]),
        label=st.sampled_from([(), ("disable",), ("type:a_t", "level:s0:c1,c2")]),
        unmask=st.booleans(),
    ),
    "sysctls": st.dictionaries(st.sampled_from(["net.a", "net.b"]), TEXT),
    "ulimits": st.dictionaries(
        st.sampled_from(ULIMITS),
        st.builds(Ulimit, soft=st.integers(0, 9), hard=st.sampled_from([-1, 9])),
        max_size=2,
    ),
    "cpus": st.none() | st.integers(1, 400).map(lambda hundredths: hundredths / 100),
    "cpuset": st.sampled_from([None, "0-1,3"]),
    "mem_limit": st.just(2**41),
    "mem_reservation": st.none() | SIZE,
    "pids_limit": st.sampled_from([None, -1, 100]),
    "shm_size": st.none() | SIZE,
}


def used(service: Service) -> Stack:
    """A stack with what its one service and a second one name."""
    second = Service(
        image="b",
        networks={"n": NetworkAttachment(ipv4_address="10.9.0.9")},
        depends_on={"a": Dependency(condition="service_started", restart=True)},
    )
    pool = IpamPool(subnet="10.9.0.0/24", gateway="10.9.0.1", ip_range="10.9.0.128/25")
    networks = {
        "n": Network(name="x_n", internal=True, ipam=Ipam(config=(pool,)), mtu=1400, bridge="br"),
        "m": Network(name="elsewhere", external=True),
    }
    volumes = {
        "v": Volume(name="x_v", type="tmpfs", options="size=1m", device="tmpfs"),
        "w": Volume(name="elsewhere", external=True),
    }
    mounted = {mount.source for mount in service.volumes if mount.type == "volume"}
    return Stack(
        name="x",
        services={"a": service, "b": second},
        networks={key: networks[key] for key in networks if key in {"n", *service.networks}},
        volumes={key: volumes[key] for key in volumes if key in mounted},
        configs={"f": Config(name="x_f", content="$one\n${two}")} if service.configs else {},
        secrets={"f": Secret(name="x_f", environment="TOKEN")} if service.secrets else {},
    )


@settings(
    max_examples=200, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(st.fixed_dictionaries({"image": IMAGE}, optional=SERVICE))
def test_printed_and_loaded_again(keys: dict[str, Any]) -> None:
    keys = {"networks": {"n": NetworkAttachment()}, "mem_limit": 2**41, **keys}
    stack = used(Service(**keys))
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "stack.yaml"
        file.write_text(render(stack), encoding="utf-8")
        assert load_stack([file], working_dir=Path(name), environment={}).stack == stack
