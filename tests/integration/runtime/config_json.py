"""config.json as hypothesis makes it: by the shape of the specification's schema, then damaged.

What would reach outside of the bundle is held in: the root is the bundle's or none, cgroups are
below one of our own, namespaces are new, or those that the test is in.
"""

from __future__ import annotations

import copy
import os
from typing import Any

from hypothesis import strategies as st

Json = Any
CGROUPS = f"/stacker-fuzz-{os.getpid()}"
LEAVES = ("a", "b", "deep/er/c")
"""The cgroups below it that are a container's own."""

_word = st.sampled_from(
    ["", "/", "a", "/a", "/proc", "/dev", "/dev/null", "/etc/x", "..", "/a/../b", "a\0b", "ä", "-",
     "=", "A=b", "x" * 300, "/" + "x" * 300, "/a" * 2500, "\ud800", "\n", "%s", "CAP_CHOWN", "bind",
     "ro"]
)  # fmt: skip
_number = st.sampled_from(
    [0, 1, 2, 7, -1, 64, 255, 256, 1000, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63,
     2**64, -(2**63), 10**40]
)  # fmt: skip
_flag = st.booleans()
_words = st.lists(_word, max_size=4)
_junk = st.recursive(
    st.none() | _flag | _number | st.floats(allow_nan=False) | _word,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_word, inner, max_size=3),
    max_leaves=6,
)


def _object(**fields: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({}, optional=fields)


def _one_of(*words: str) -> st.SearchStrategy[str]:
    return st.sampled_from(words) | _word


def _many(item: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.lists(item, max_size=3)


_mapping = _object(containerID=_number, hostID=_number, size=_number)
_hook = _object(
    path=st.sampled_from(["/bin/true", "/bin/false", "/nosuch", "relative"]),
    args=_words, env=_words, timeout=_number,
)  # fmt: skip
_capabilities = _many(_one_of("CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_NOSUCH"))
_user = _object(uid=_number, gid=_number, umask=_number, additionalGids=_many(_number))
_process = _object(
    terminal=_flag,
    consoleSize=_object(height=_number, width=_number),
    user=_user,
    args=_words,
    env=_words,
    cwd=_word,
    rlimits=_many(_object(type=_one_of("RLIMIT_NOFILE", "RLIMIT_CPU"), hard=_number, soft=_number)),
    capabilities=_object(bounding=_capabilities, effective=_capabilities, permitted=_capabilities,
                         inheritable=_capabilities, ambient=_capabilities),
    noNewPrivileges=_flag,
    apparmorProfile=_word,
    selinuxLabel=_word,
    oomScoreAdj=_number,
    scheduler=_object(policy=_one_of("SCHED_OTHER", "SCHED_FIFO", "SCHED_BATCH"), nice=_number,
                      priority=_number, flags=_words, runtime=_number, deadline=_number,
                      period=_number),
    ioPriority=_object(**{"class": _one_of("IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE")},
                       priority=_number),
    execCPUAffinity=_object(initial=_word, final=_word),
)  # fmt: skip
_mount = _object(
    destination=_word,
    type=_one_of("tmpfs", "proc", "sysfs", "bind", "cgroup", "devpts", "mqueue", "nosuch"),
    source=st.sampled_from(["tmpfs", "rootfs", "nosuch", "", "/nosuch"]),
    options=_many(_one_of("bind", "rbind", "ro", "rro", "nosuid", "rshared", "idmap", "tmpcopyup",
                          "remount", "size=1m", "size=x", "mode=1777", "nosuch=1")),
    uidMappings=_many(_mapping),
    gidMappings=_many(_mapping),
)  # fmt: skip
_namespace = _object(
    type=_one_of("pid", "network", "ipc", "uts", "mount", "cgroup", "time", "user"),
    path=st.sampled_from(["/nosuch", "/proc/self/ns/net", "/proc/self/ns/uts", "relative"]),
)  # fmt: skip
_device = _object(
    path=_word, type=_one_of("c", "b", "u", "p"), major=_number, minor=_number, fileMode=_number,
    uid=_number, gid=_number,
)  # fmt: skip
_rate = _many(_object(major=_number, minor=_number, rate=_number, weight=_number))
_resources = _object(
    devices=_many(_object(allow=_flag, type=_one_of("a", "c", "b"), major=_number, minor=_number,
                          access=_one_of("rwm", "r"))),
    memory=_object(limit=_number, reservation=_number, swap=_number, swappiness=_number,
                   kernel=_number, disableOOMKiller=_flag, checkBeforeUpdate=_flag),
    cpu=_object(shares=_number, quota=_number, period=_number, burst=_number, idle=_number,
                cpus=_one_of("0", "0-1", "9-1"), mems=_one_of("0"), realtimeRuntime=_number,
                realtimePeriod=_number),
    pids=_object(limit=_number),
    blockIO=_object(weight=_number, weightDevice=_rate, throttleReadBpsDevice=_rate),
    hugepageLimits=_many(_object(pageSize=_one_of("2MB"), limit=_number)),
    network=_object(classID=_number, priorities=_many(_object(name=_word, priority=_number))),
    rdma=st.dictionaries(_word, _object(hcaHandles=_number, hcaObjects=_number), max_size=2),
    unified=st.dictionaries(_one_of("memory.max", "cgroup.procs"), _word, max_size=2),
)  # fmt: skip
_argument = _object(index=_number, value=_number, valueTwo=_number,
                    op=_one_of("SCMP_CMP_EQ", "SCMP_CMP_MASKED_EQ"))  # fmt: skip
_seccomp = _object(
    defaultAction=_one_of("SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"),
    defaultErrnoRet=_number,
    architectures=_many(_one_of("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32")),
    flags=_many(_one_of("SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC")),
    listenerPath=_word,
    listenerMetadata=_word,
    syscalls=_many(_object(names=_many(_one_of("getppid", "mkdir", "nosuch")), errnoRet=_number,
                           action=_one_of("SCMP_ACT_ERRNO", "SCMP_ACT_NOTIFY"),
                           args=_many(_argument))),
)  # fmt: skip
_linux = _object(
    namespaces=_many(_namespace),
    uidMappings=_many(_mapping),
    gidMappings=_many(_mapping),
    timeOffsets=st.dictionaries(_one_of("monotonic", "boottime"),
                                _object(secs=_number, nanosecs=_number), max_size=2),
    devices=_many(_device),
    netDevices=st.dictionaries(st.sampled_from(["nosuch0", "", "x" * 20]), _object(name=_word),
                               max_size=1),
    cgroupsPath=st.sampled_from([f"{CGROUPS}/{path}" for path in ("a", "x/../b", "deep/er/c")]),
    resources=_resources,
    seccomp=_seccomp,
    rootfsPropagation=_one_of("shared", "private", "rslave", "unbindable"),
    maskedPaths=_words,
    readonlyPaths=_words,
    mountLabel=_word,
    sysctl=st.dictionaries(_one_of("net.ipv4.ip_forward", "kernel.shmmax"), _word, max_size=2),
    personality=_object(domain=_one_of("LINUX", "LINUX32"), flags=_words),
    memoryPolicy=_object(mode=_one_of("MPOL_BIND", "MPOL_PREFERRED"), nodes=_word, flags=_words),
    intelRdt=_object(closID=_word, l3CacheSchema=_word, memBwSchema=_word, schemata=_words,
                     enableMonitoring=_flag),
)  # fmt: skip
_top = _object(
    ociVersion=_one_of("1.0.2", "1.2.0"),
    hostname=_word,
    domainname=_word,
    process=_process,
    mounts=_many(_mount),
    hooks=_object(prestart=_many(_hook), createRuntime=_many(_hook), createContainer=_many(_hook),
                  startContainer=_many(_hook), poststart=_many(_hook), poststop=_many(_hook)),
    annotations=st.dictionaries(_word, _word, max_size=2),
    linux=_linux,
)  # fmt: skip
# where any string at all would be somebody else's file, namespace or link
_HELD = ("root", "path", "source", "cgroupsPath", "netDevices")


@st.composite
def configs(draw: st.DrawFn, base: Json) -> Json:
    """A good config with parts of the schema's making put into it, then a little damage."""
    config = copy.deepcopy(base)
    _merge(draw, config, draw(_top))
    for _ in range(draw(st.integers(0, 2))):
        _damage(draw, config)
    return config


def _merge(draw: st.DrawFn, into: Json, made: Json) -> None:
    for name, value in made.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(draw, into[name], value)
        elif draw(st.integers(0, 3)):
            # a made list among a good one: what is beside it is still to be undone
            good = into.get(name)
            into[name] = [*good, *value] if isinstance(good, list) and draw(_flag) else value


def _damage(draw: st.DrawFn, config: Json) -> None:
    """Follow a random path down and put something else there, or nothing."""
    at = config
    while True:
        keys = [key for key in (at if isinstance(at, dict) else range(len(at))) if key not in _HELD]
        if not keys:
            return
        key = draw(st.sampled_from(keys))
        inner = at[key]
        if isinstance(inner, dict | list) and inner and draw(st.integers(0, 3)):
            at = inner
            continue
        if draw(_flag):
            at[key] = draw(_junk)
        else:
            del at[key]
        return
