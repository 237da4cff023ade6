"""Services, images, hosts and inputs for the tests of the bundle."""

from __future__ import annotations

from stacker.base.facts import HostFacts
from stacker.bundle.capabilities import KNOWN
from stacker.bundle.inputs import ContainerInputs, HostMount
from stacker.oci.image_config import ImageConfig
from stacker.stack.model.service import Service

FACTS = HostFacts(
    architecture="amd64",
    kernel=(6, 1, 0),
    cpus=2,
    memory_bytes=8 << 30,
    cgroup_mode="v2",
    cgroup_controllers=frozenset({"cpu", "cpuset", "io", "memory", "pids", "devices"}),
    swap_limit=True,
    capabilities=KNOWN,
)

IMAGE = ImageConfig(
    os="linux",
    architecture="amd64",
    env=("PATH=/bin", "GREETING=hello=world"),
    entrypoint=("/entry",),
    cmd=("serve", "--all"),
    working_dir="/srv",
)

INPUTS = ContainerInputs(
    container_id="0123456789abcdef0123456789abcdef",
    name="shop-web-1",
    stack="shop",
    hostname="web",
    rootfs="/run/stacker/rootfs/0123",
    cgroups_path="/stacker/0123",
    network_namespace="/run/stacker/netns/0123",
    files=(
        HostMount(target="/etc/hosts", source="/run/stacker/etc/0123/hosts"),
        HostMount(target="/etc/resolv.conf", source="/run/stacker/etc/0123/resolv.conf"),
    ),
    passwd=b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n",
    group=b"root:x:0:\napp:x:1000:\naudio:x:29:app\n",
)


def service(**keys: object) -> Service:
    return Service.model_validate({"image": "web:1", **keys})
