"""What a container has used, in the shape of `runc events --stats`.

Only files of its own cgroups are read. One that this kernel lacks, or that is gone because the
container is, counts as empty. Units are runc's: nanoseconds and bytes; where versions differ the
figure means what version 1's does (`swap` is memory and swap together).
"""

from __future__ import annotations

import os

from runtime.cgroups import formats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.cgroups.cgroup import Cgroup

    Json = dict[str, Any]

# key -> files of version 1, the first that says something counts: BFQ keeps its own book
_BLKIO = {
    "ioServiceBytesRecursive": "io_service_bytes_recursive",
    "ioServicedRecursive": "io_serviced_recursive",
    "ioQueueRecursive": "io_queued_recursive",
    "ioServiceTimeRecursive": "io_service_time_recursive",
    "ioWaitTimeRecursive": "io_wait_time_recursive",
    "ioMergedRecursive": "io_merged_recursive",
    "ioTimeRecursive": "time_recursive",
    "sectorsRecursive": "sectors_recursive",
}
_BOOKS = ("blkio.bfq.", "blkio.", "blkio.throttle.")
# what io.stat counts: name -> (key, operation)
_IO = {
    "rbytes": ("ioServiceBytesRecursive", "Read"),
    "wbytes": ("ioServiceBytesRecursive", "Write"),
    "dbytes": ("ioServiceBytesRecursive", "Discard"),
    "rios": ("ioServicedRecursive", "Read"),
    "wios": ("ioServicedRecursive", "Write"),
    "dios": ("ioServicedRecursive", "Discard"),
}
_CPUSET = (
    "cpu_exclusive",
    "mem_hardwall",
    "mem_exclusive",
    "memory_migrate",
    "memory_spread_page",
    "memory_spread_slab",
    "memory_pressure",
    "sched_load_balance",
    "sched_relax_domain_level",
)


def read_stats(cgroup: Cgroup) -> Json:
    legacy, unified = cgroup.legacy, cgroup.unified
    stats: Json = {
        "cpu": _cpu_v1(legacy) if "cpuacct" in legacy else _cpu_v2(unified),
        "cpuset": _cpuset(legacy.get("cpuset") or unified),
        "memory": _memory_v1(legacy["memory"]) if "memory" in legacy else _memory_v2(unified),
        "pids": _pids(legacy.get("pids") or unified),
        "blkio": _blkio_v1(legacy["blkio"]) if "blkio" in legacy else _blkio_v2(unified),
        "hugetlb": _hugetlb(legacy.get("hugetlb") or unified),
    }
    if rdma := _rdma(legacy.get("rdma") or unified):
        stats["rdma"] = rdma
    for key, file in (("cpu", "cpu"), ("memory", "memory"), ("blkio", "io")):
        if stalls := formats.pressure(_text(unified, f"{file}.pressure")):
            stats[key]["psi"] = stalls
    return stats


def _cpu_v1(legacy: dict[str, str]) -> Json:
    account = legacy["cpuacct"]
    # columns: processor, user, system
    split = [formats.numbers(line) for line in _text(account, "cpuacct.usage_all").splitlines()]
    rows = [row for row in split if len(row) == 3]
    throttled = formats.keyed(_text(legacy.get("cpu"), "cpu.stat"))
    return {
        "usage": {
            "total": _number(account, "cpuacct.usage"),
            "percpu": formats.numbers(_text(account, "cpuacct.usage_percpu")),
            "percpu_kernel": [row[2] for row in rows],
            "percpu_user": [row[1] for row in rows],
            "kernel": _number(account, "cpuacct.usage_sys"),
            "user": _number(account, "cpuacct.usage_user"),
        },
        "throttling": _throttling(throttled, throttled.get("throttled_time", 0)),
    }


def _cpu_v2(directory: str | None) -> Json:
    stat = formats.keyed(_text(directory, "cpu.stat"))
    return {
        "usage": {
            "total": stat.get("usage_usec", 0) * 1000,
            "kernel": stat.get("system_usec", 0) * 1000,
            "user": stat.get("user_usec", 0) * 1000,
        },
        "throttling": _throttling(stat, stat.get("throttled_usec", 0) * 1000),
    }


def _throttling(stat: dict[str, int], time_ns: int) -> Json:
    return {
        "periods": stat.get("nr_periods", 0),
        "throttledPeriods": stat.get("nr_throttled", 0),
        "throttledTime": time_ns,
    }


def _cpuset(directory: str | None) -> Json:
    return {
        "cpus": formats.ranges(_text(directory, "cpuset.cpus")),
        "mems": formats.ranges(_text(directory, "cpuset.mems")),
        **{key: _number(directory, f"cpuset.{key}") for key in _CPUSET},
    }


def _memory_v1(directory: str) -> Json:
    raw = formats.keyed(_text(directory, "memory.stat"))
    kinds = {"usage": "", "swap": "memsw.", "kernel": "kmem.", "kernelTCP": "kmem.tcp."}
    entries = {
        key: {
            "limit": _number(directory, f"memory.{kind}limit_in_bytes"),
            "usage": _number(directory, f"memory.{kind}usage_in_bytes"),
            "max": _number(directory, f"memory.{kind}max_usage_in_bytes"),
            "failcnt": _number(directory, f"memory.{kind}failcnt"),
        }
        for key, kind in kinds.items()
    }
    return {"cache": raw.get("cache", 0), **entries, "raw": raw}


def _memory_v2(directory: str | None) -> Json:
    raw = formats.keyed(_text(directory, "memory.stat"))
    limit, used = _number(directory, "memory.max"), _number(directory, "memory.current")
    swap_limit = _number(directory, "memory.swap.max")
    endless = formats.UNLIMITED in (limit, swap_limit)
    return {
        "cache": raw.get("file", 0),
        "usage": {
            "limit": limit,
            "usage": used,
            "max": _number(directory, "memory.peak"),
            "failcnt": formats.keyed(_text(directory, "memory.events")).get("max", 0),
        },
        "swap": {
            "limit": formats.UNLIMITED if endless else limit + swap_limit,
            "usage": used + _number(directory, "memory.swap.current"),
            "failcnt": formats.keyed(_text(directory, "memory.swap.events")).get("max", 0),
        },
        "kernel": {"limit": formats.UNLIMITED, "usage": raw.get("kernel", 0), "failcnt": 0},
        "kernelTCP": {"limit": formats.UNLIMITED, "usage": raw.get("sock", 0), "failcnt": 0},
        "raw": raw,
    }


def _pids(directory: str | None) -> Json:
    limit = _number(directory, "pids.max")
    return {
        "current": _number(directory, "pids.current"),
        # as runc tells it: 0 is no limit
        "limit": 0 if limit == formats.UNLIMITED else limit,
    }


def _blkio_v1(directory: str) -> Json:
    found: Json = {}
    for key, file in _BLKIO.items():
        for book in _BOOKS:
            lines = _text(directory, f"{book}{file}").splitlines()
            entries = [entry for line in lines for entry in _blkio_entry(line)]
            if entries:
                found[key] = entries
                break
    return found


def _blkio_entry(line: str) -> list[Json]:
    """`8:0 Read 4096`; the line of the sum has no device."""
    words = line.split()
    major, colon, minor = words[0].partition(":") if words else ("", "", "")
    if not colon or not major.isdigit() or not minor.isdigit():
        return []
    operation = words[1] if len(words) == 3 else ""
    value = formats.number(words[-1])
    return [{"major": int(major), "minor": int(minor), "op": operation, "value": value}]


def _blkio_v2(directory: str | None) -> Json:
    found: Json = {}
    for device, counts in formats.nested(_text(directory, "io.stat")).items():
        major, _, minor = device.partition(":")
        for name, value in counts.items():
            if name not in _IO or not major.isdigit() or not minor.isdigit():
                continue
            key, operation = _IO[name]
            entry = {"major": int(major), "minor": int(minor), "op": operation, "value": value}
            found.setdefault(key, []).append(entry)
    return found


def _hugetlb(directory: str | None) -> Json:
    found: Json = {}
    for name in _names(directory):
        kind, _, rest = name.partition(".")
        size, _, file = rest.partition(".")
        if kind != "hugetlb" or file not in ("current", "usage_in_bytes"):
            continue
        if file == "current":
            events = formats.keyed(_text(directory, f"hugetlb.{size}.events"))
            usage, failures = _number(directory, name), events.get("max", 0)
            found[size] = {"usage": usage, "failcnt": failures}
        else:
            found[size] = {
                "usage": _number(directory, name),
                "max": _number(directory, f"hugetlb.{size}.max_usage_in_bytes"),
                "failcnt": _number(directory, f"hugetlb.{size}.failcnt"),
            }
    return found


def _rdma(directory: str | None) -> Json:
    limits = formats.nested(_text(directory, "rdma.max"))
    used = formats.nested(_text(directory, "rdma.current"))
    return {device: {"limit": limits[device], "current": used.get(device, {})} for device in limits}


def _number(directory: str | None, file: str) -> int:
    return formats.number(_text(directory, file))


def _text(directory: str | None, file: str) -> str:
    if directory is None:
        return ""
    try:
        with open(f"{directory}/{file}", encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except OSError:
        # absent on this kernel, switched off (EOPNOTSUPP), or gone with the container
        return ""


def _names(directory: str | None) -> list[str]:
    try:
        return [] if directory is None else sorted(os.listdir(directory))
    except OSError:
        return []
