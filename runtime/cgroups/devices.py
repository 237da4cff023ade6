"""Device rules of a cgroup: lines in version 1, an attached program in version 2.

A host without the version 1 controller takes the program, also on a version 2 tree that holds no
controllers (BPF_CGROUP_DEVICE belongs to the tree itself).
"""

from __future__ import annotations

import os

from runtime.cgroups.apply import apply
from runtime.cgroups.device_bpf import device_program
from runtime.cgroups.v1 import devices as lines
from runtime.errors import KernelFault, NotSupported
from runtime.linux import bpf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.device_rules import DeviceRule


def apply_devices(rules: list[DeviceRule], legacy: str | None, unified: str | None) -> None:
    if not rules:
        return
    if legacy is not None:
        apply(legacy, lines.plan(rules))
    elif unified is not None:
        _attach(rules, unified)
    else:
        raise NotSupported("linux.resources.devices: this host has no cgroup to hold device rules")


def _attach(rules: list[DeviceRule], directory: str) -> None:
    """Put the new program in before the old ones go: there is no moment without rules."""
    kind = bpf.ATTACH_CGROUP_DEVICE
    program = cgroup = -1
    try:
        cgroup = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        program = bpf.load_program(bpf.PROG_TYPE_CGROUP_DEVICE, device_program(rules))
        replaced = bpf.attached_programs(cgroup, kind)
        bpf.attach_program(cgroup, program, kind)
        for identity in replaced:
            old = bpf.program_by_id(identity)
            try:
                bpf.detach_program(cgroup, old, kind)
            finally:
                os.close(old)
    except OSError as error:
        raise KernelFault(
            f"linux.resources.devices: attach the program to {directory}",
            error.errno or 0,
            error.strerror or str(error),
        ) from error
    finally:
        for descriptor in (program, cgroup):
            if descriptor >= 0:
                os.close(descriptor)
