"""spec: a config.json to begin with, as restrictive as a shell still works in."""

from __future__ import annotations

import os

from runtime.commands.arguments import Flag, switch
from runtime.container.state import OCI_VERSION
from runtime.errors import StateConflict, step
from runtime.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.commands.arguments import Arguments
    from runtime.commands.context import Context
    from runtime.spec.model import Json

FLAGS = (
    Flag("bundle", "b", "the directory to write it in (.)", "DIR"),
    switch("rootless", "", "for a caller who is not root"),
)
_FILE = "config.json"
_CAPABILITIES = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
_NOEXEC = ["nosuid", "noexec", "nodev"]


def run(context: Context, arguments: Arguments) -> int:
    del context
    bundle = arguments.text("bundle", ".")
    path = os.path.join(bundle, _FILE)
    text = json.dumps(build_spec(rootless=arguments.on("rootless")), indent=4)
    with step(f"write {path}"):
        try:
            file = open(path, "x", encoding="utf-8")  # noqa: SIM115 - closed by the `with` below
        except FileExistsError as error:
            raise StateConflict(f"file {path} exists: remove it first") from error
        with file:
            file.write(text + "\n")
    return 0


def build_spec(*, rootless: bool) -> Json:
    linux: Json = {
        "namespaces": _namespaces(rootless=rootless),
        "maskedPaths": [
            "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
            "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
            "/proc/scsi", "/sys/devices/virtual/powercap", "/sys/firmware",
        ],
        "readonlyPaths": [
            "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
        ],
    }  # fmt: skip
    if rootless:
        linux["uidMappings"] = [{"containerID": 0, "hostID": os.geteuid(), "size": 1}]
        linux["gidMappings"] = [{"containerID": 0, "hostID": os.getegid(), "size": 1}]
    else:
        linux["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
    return {
        "ociVersion": OCI_VERSION,
        "process": {
            "terminal": True,
            "user": {"uid": 0, "gid": 0},
            "args": ["sh"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    "TERM=xterm"],
            "cwd": "/",
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), _CAPABILITIES),
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "stacker",
        "mounts": _mounts(rootless=rootless),
        "linux": linux,
    }  # fmt: skip


def _namespaces(*, rootless: bool) -> list[Json]:
    # without root there is nobody to put a device into a network namespace: the host's is kept
    kinds = ["pid", *(() if rootless else ("network",)), "ipc", "uts", "mount", "cgroup"]
    return [{"type": kind} for kind in (*kinds, *(("user",) if rootless else ()))]


def _mounts(*, rootless: bool) -> list[Json]:
    # one mapped group only: group tty (5) has no number in the namespace
    tty = [] if rootless else ["gid=5"]
    # a new sysfs belongs to the network namespace, which is the host's
    sys = (
        {"destination": "/sys", "type": "none", "source": "/sys",
         "options": ["rbind", *_NOEXEC, "ro"]}
        if rootless
        else {"destination": "/sys", "type": "sysfs", "source": "sysfs",
              "options": [*_NOEXEC, "ro"]}
    )  # fmt: skip
    return [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
         "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
         "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", *tty]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
         "options": [*_NOEXEC, "mode=1777", "size=65536k"]},
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": _NOEXEC},
        sys,
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
         "options": [*_NOEXEC, "relatime", "ro"]},
    ]  # fmt: skip
