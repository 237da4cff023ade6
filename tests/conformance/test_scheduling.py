"""`process.scheduler`, `ioPriority`, `execCPUAffinity`; `linux.personality`, `memoryPolicy`."""

from __future__ import annotations

import os

import pytest

from tests.conformance.conftest import Case

pytestmark = pytest.mark.root
IOPRIO_CLASS_SHIFT = 13
LINUX32 = 8


@pytest.mark.differs(crun="1.8 has no scheduler", runc="1.1 has no scheduler")
@pytest.mark.parametrize(("policy", "number"), [("SCHED_BATCH", 3), ("SCHED_IDLE", 5)])
def test_policy(case: Case, policy: str, number: int) -> None:
    """config.md, "Linux Process": `scheduler.policy` is the process's (sched_setattr)."""
    case.process["scheduler"] = {"policy": policy}
    assert case.one("scheduling")["policy"] == number


@pytest.mark.differs(crun="1.8 has no scheduler", runc="1.1 has no scheduler")
def test_nice(case: Case) -> None:
    """config.md, "Linux Process": `scheduler.nice` of the ordinary policies."""
    case.process["scheduler"] = {"policy": "SCHED_OTHER", "nice": 7}
    assert case.one("scheduling")["nice"] == 7


@pytest.mark.differs(crun="1.8 has no scheduler", runc="1.1 has no scheduler")
def test_real_time(case: Case) -> None:
    """config.md, "Linux Process": `scheduler.priority` of the real-time policies."""
    case.process["scheduler"] = {"policy": "SCHED_FIFO", "priority": 3}
    done = case.run("scheduling")
    if done.returncode:
        # a cgroup of version 1 without real-time quota lets nobody in
        assert "sched" in done.stderr.lower()
        pytest.skip("this host's cpu controller has no real-time quota to give")
    assert '"policy":1' in done.stdout
    assert '"priority":3' in done.stdout


@pytest.mark.differs(crun="1.8 has no scheduler", runc="1.1 has no scheduler")
def test_an_unknown_policy_is_refused(case: Case) -> None:
    """config.md, "Linux Process": `policy` is one of the listed ones."""
    case.process["scheduler"] = {"policy": "SCHED_NOSUCH"}
    case.refused()


@pytest.mark.differs(crun="1.8 has no ioPriority", runc="1.1 has no ioPriority")
@pytest.mark.parametrize(("kind", "number"), [("IOPRIO_CLASS_BE", 2), ("IOPRIO_CLASS_IDLE", 3)])
def test_io_priority(case: Case, kind: str, number: int) -> None:
    """config.md, "Linux Process": `ioPriority` has a class and a priority in it (ioprio_set)."""
    case.process["ioPriority"] = {"class": kind, "priority": 5}
    assert case.one("io_priority") >> IOPRIO_CLASS_SHIFT == number


@pytest.mark.differs(crun="1.8 has no execCPUAffinity", runc="1.1 has no execCPUAffinity")
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two processors")
def test_exec_affinity(case: Case) -> None:
    """config.md, "Linux Process": `execCPUAffinity.final` is that of a process of exec."""
    case.process["execCPUAffinity"] = {"initial": "0", "final": "1"}
    case.start()
    assert case.execute("affinity")["affinity"] == [1]


@pytest.mark.differs(runc="1.1 has no personality")
def test_personality(case: Case) -> None:
    """config-linux.md, "Personality": `domain` LINUX32 is personality(2)'s."""
    case.linux["personality"] = {"domain": "LINUX32"}
    seen = case.see("personality", "machine")
    assert seen["personality"] == LINUX32
    assert seen["machine"] in ("i686", "armv8l")


@pytest.mark.differs(runc="1.1 has no personality")
def test_an_unknown_personality_is_refused(case: Case) -> None:
    """config-linux.md, "Personality": LINUX or LINUX32."""
    case.linux["personality"] = {"domain": "NOSUCH"}
    case.refused()


@pytest.mark.differs(crun="1.8 has no memoryPolicy", runc="1.1 has no memoryPolicy")
def test_an_unknown_memory_policy_is_refused(case: Case) -> None:
    """config-linux.md, "Memory policy": `mode` is one of the listed ones."""
    case.linux["memoryPolicy"] = {"mode": "MPOL_NOSUCH", "nodes": "0"}
    case.refused()
