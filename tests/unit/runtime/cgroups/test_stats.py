"""Statistics out of directories as the kernel fills them, in the shape of runc's events."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from runtime.cgroups import formats
from runtime.cgroups.cgroup import Cgroup
from runtime.cgroups.stats import read_stats

V1_FILES = {
    "cpuacct.usage": "3000\n",
    "cpuacct.usage_percpu": "1000 2000 \n",
    "cpuacct.usage_all": "cpu user system\n0 700 300\n1 1500 500\n",
    "cpuacct.usage_user": "2200\n",
    "cpuacct.usage_sys": "800\n",
    "cpu.stat": "nr_periods 5\nnr_throttled 2\nthrottled_time 77\n",
    "cpuset.cpus": "0-2,5\n",
    "cpuset.mems": "0\n",
    "cpuset.sched_load_balance": "1\n",
    "cpuset.sched_relax_domain_level": "-1\n",
    "memory.stat": "cache 4096\nrss 8192\n",
    "memory.usage_in_bytes": "12288\n",
    "memory.max_usage_in_bytes": "16384\n",
    "memory.limit_in_bytes": "65536\n",
    "memory.failcnt": "3\n",
    "memory.memsw.usage_in_bytes": "12289\n",
    "pids.current": "4\n",
    "pids.max": "max\n",
    "blkio.throttle.io_service_bytes_recursive": "8:0 Read 4096\n8:0 Total 4096\nTotal 4096\n",
    "hugetlb.2MB.usage_in_bytes": "2097152\n",
    "hugetlb.2MB.max_usage_in_bytes": "4194304\n",
    "hugetlb.2MB.failcnt": "1\n",
}
V2_FILES = {
    "cpu.stat": "usage_usec 3\nuser_usec 2\nsystem_usec 1\nnr_periods 5\nthrottled_usec 9\n",
    "cpu.pressure": "some avg10=0.50 avg60=0.00 avg300=0.00 total=12\n",
    "memory.stat": "file 4096\nkernel 512\nsock 7\n",
    "memory.current": "12288\n",
    "memory.peak": "16384\n",
    "memory.max": "65536\n",
    "memory.events": "low 0\nmax 3\noom_kill 1\n",
    "memory.swap.current": "1\n",
    "memory.swap.max": "max\n",
    "pids.current": "4\n",
    "pids.max": "9\n",
    "io.stat": "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n",
    "hugetlb.2MB.current": "2097152\n",
    "hugetlb.2MB.events": "max 1\n",
    "rdma.max": "mlx4_0 hca_handle=2 hca_object=max\n",
    "rdma.current": "mlx4_0 hca_handle=1 hca_object=20\n",
}


def filled(directory: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (directory / name).write_text(text)
    return str(directory)


def test_version_1(tmp_path: Path) -> None:
    names = ("cpu", "cpuacct", "cpuset", "memory", "pids", "blkio", "hugetlb")
    stats = read_stats(
        Cgroup(legacy=dict.fromkeys(names, filled(tmp_path, V1_FILES)), unified=None)
    )
    assert stats["cpu"] == {
        "usage": {
            "total": 3000,
            "percpu": [1000, 2000],
            "percpu_kernel": [300, 500],
            "percpu_user": [700, 1500],
            "kernel": 800,
            "user": 2200,
        },
        "throttling": {"periods": 5, "throttledPeriods": 2, "throttledTime": 77},
    }
    assert stats["cpuset"]["cpus"] == [0, 1, 2, 5]
    assert stats["cpuset"]["sched_relax_domain_level"] == -1
    assert stats["memory"]["cache"] == 4096
    assert stats["memory"]["usage"] == {"limit": 65536, "usage": 12288, "max": 16384, "failcnt": 3}
    assert stats["memory"]["swap"]["usage"] == 12289
    assert stats["memory"]["raw"] == {"cache": 4096, "rss": 8192}
    assert stats["pids"] == {"current": 4, "limit": 0}
    assert stats["blkio"] == {
        "ioServiceBytesRecursive": [
            {"major": 8, "minor": 0, "op": "Read", "value": 4096},
            {"major": 8, "minor": 0, "op": "Total", "value": 4096},
        ]
    }
    assert stats["hugetlb"] == {"2MB": {"usage": 2097152, "max": 4194304, "failcnt": 1}}
    assert "rdma" not in stats


def test_version_2(tmp_path: Path) -> None:
    stats = read_stats(Cgroup(legacy={}, unified=filled(tmp_path, V2_FILES)))
    assert stats["cpu"]["usage"] == {"total": 3000, "kernel": 1000, "user": 2000}
    assert stats["cpu"]["throttling"]["throttledTime"] == 9000
    assert stats["cpu"]["psi"]["some"]["total"] == 12
    assert stats["memory"]["usage"] == {"limit": 65536, "usage": 12288, "max": 16384, "failcnt": 3}
    assert stats["memory"]["swap"]["usage"] == 12289
    assert stats["memory"]["swap"]["limit"] == formats.UNLIMITED
    assert stats["memory"]["kernelTCP"]["usage"] == 7
    assert stats["pids"] == {"current": 4, "limit": 9}
    assert stats["blkio"]["ioServicedRecursive"][0]["value"] == 1
    assert stats["hugetlb"] == {"2MB": {"usage": 2097152, "failcnt": 1}}
    assert stats["rdma"]["mlx4_0"] == {
        "limit": {"hca_handle": 2, "hca_object": formats.UNLIMITED},
        "current": {"hca_handle": 1, "hca_object": 20},
    }


def test_what_is_not_there_is_empty(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    stats = read_stats(
        Cgroup(legacy=dict.fromkeys(("cpuacct", "memory", "blkio"), gone), unified=None)
    )
    assert stats["memory"]["usage"]["usage"] == 0
    assert stats["blkio"] == stats["hugetlb"] == {}
    assert read_stats(Cgroup(legacy={}, unified=gone))["cpu"]["usage"]["total"] == 0


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    formats.number(text)
    formats.numbers(text)
    formats.keyed(text)
    formats.nested(text)
    formats.pressure(text)
