"""The facts of this very host, against other ways to ask for them."""

from __future__ import annotations

import os
import platform
import resource

from runtime.cgroups.detect import detect
from runtime.linux.process import capget
from runtime.security.capabilities import NAMES
from stacker.drivers.host.probe import probe


def test_facts_are_what_the_kernel_says() -> None:
    facts = probe()
    assert platform.release().startswith(".".join(str(part) for part in facts.kernel[:2]))
    assert facts.cpus == len(os.sched_getaffinity(0))
    assert facts.capabilities == {
        name for number, name in enumerate(NAMES) if capget()[1] >> number & 1
    }
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert facts.rlimits.get("nofile", resource.RLIM_INFINITY) == hard
    assert facts.can_raise_rlimits == ("CAP_SYS_RESOURCE" in facts.capabilities)


def test_the_supervisor_and_the_runtime_see_the_same_cgroups() -> None:
    facts, layout = probe(), detect()
    assert facts.cgroup_mode == layout.mode
    for controller in ("memory", "cpu", "pids", "cpuset"):
        assert (controller in facts.cgroup_controllers) == (layout.holder(controller) is not None)
