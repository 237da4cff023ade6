"""Device rules of a cgroup: lines in version 1, an attached program in version 2.

A host without the version 1 controller takes the program, also on a version 2 tree that holds no
controllers (BPF_CGROUP_DEVICE belongs to the tree itself).
"""

from __future__ import annotations

import os

from runtime.cgroups.apply import apply, read_file
from runtime.cgroups.device_bpf import device_program
from runtime.cgroups.v1 import devices as lines
from runtime.errors import KernelFault, NotSupported, step
from runtime.linux import bpf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.device_rules import DeviceRule

PROGRAM_NAME = "stacker_devices"  # at most 15 bytes: what `bpftool cgroup` shows


def apply_devices(rules: list[DeviceRule], legacy: str | None, unified: str | None) -> None:
    if not rules:
        return
    if legacy is not None:
        with step(f"linux.resources.devices: read {legacy}/devices.list"):
            listed = read_file(f"{legacy}/devices.list")
        apply(legacy, lines.plan(rules, listed))
    elif unified is not None:
        _attach(rules, unified)
    else:
        raise NotSupported("linux.resources.devices: this host has no cgroup to hold device rules")


def _attach(rules: list[DeviceRule], directory: str) -> None:
    """Replace our program in one step (BPF_F_REPLACE, Linux 5.6); all others must allow too.

    systemd has one of its own there, which is systemd's to replace.
    """
    kind = bpf.ATTACH_CGROUP_DEVICE
    descriptors: list[int] = []
    try:
        cgroup = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        descriptors.append(cgroup)
        code = device_program(rules)
        program = bpf.load_program(bpf.PROG_TYPE_CGROUP_DEVICE, code, PROGRAM_NAME)
        descriptors.append(program)
        attached = [bpf.program_by_id(one) for one in bpf.attached_programs(cgroup, kind)]
        descriptors += attached
        ours = [one for one in attached if bpf.program_name(one) == PROGRAM_NAME]
        if ours:
            flags = bpf.F_ALLOW_MULTI | bpf.F_REPLACE
            bpf.attach_program(cgroup, program, kind, flags, replaces=ours[0])
        else:
            bpf.attach_program(cgroup, program, kind)
    except OSError as error:
        raise KernelFault(
            f"linux.resources.devices: attach the program to {directory}",
            error.errno or 0,
            error.strerror or str(error),
        ) from error
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
