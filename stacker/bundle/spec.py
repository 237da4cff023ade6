"""The OCI `config.json` of one container: the pieces, put together.

Called by the engine right before a start, which names the container in an error; the error names
the key of its service that is wrong.
"""

from __future__ import annotations

from stacker.base.facts import HostFacts
from stacker.bundle import devices, labels, namespaces, paths, seccomp
from stacker.bundle.annotations import build_annotations
from stacker.bundle.inputs import ContainerInputs
from stacker.bundle.mounts import build_mounts
from stacker.bundle.process import build_process
from stacker.bundle.resources import build_resources
from stacker.bundle.sysctls import build_sysctls
from stacker.oci.image_config import ImageConfig
from stacker.stack.model.service import Service

OCI_VERSION = "1.1.0"


def build_spec(
    service: Service, image: ImageConfig, facts: HostFacts, inputs: ContainerInputs
) -> dict[str, object]:
    spec: dict[str, object] = {
        "ociVersion": OCI_VERSION,
        "process": build_process(service, image, facts, inputs),
        "root": {"path": inputs.rootfs, "readonly": service.read_only},
        "mounts": build_mounts(service, facts, inputs),
        "annotations": build_annotations(inputs),
        "linux": _linux(service, facts, inputs),
    }
    if service.uts != namespaces.HOST:
        spec["hostname"] = inputs.hostname
    return spec


def _linux(service: Service, facts: HostFacts, inputs: ContainerInputs) -> dict[str, object]:
    linux: dict[str, object] = {
        "namespaces": namespaces.build_namespaces(service, inputs),
        "cgroupsPath": inputs.cgroups_path,
        "resources": build_resources(service, facts, inputs),
        "devices": devices.nodes(inputs),
        "sysctl": build_sysctls(service, inputs),
        "maskedPaths": paths.masked(service, facts),
        "readonlyPaths": paths.read_only(service),
        "rootfsPropagation": "rprivate",
    }
    profile = seccomp.build_seccomp(service, facts, inputs)
    if profile is not None:
        linux["seccomp"] = profile
    label = labels.mount_label(service, facts, inputs.selinux_level)
    if label is not None:
        linux["mountLabel"] = label
    return linux
