"""features: what this runtime can do, as the specification's features document (features.md).

Every list is the table that the code works by, and every switch asks whether the record of
config.json has the field: what is not read there is not supported.
"""

from __future__ import annotations

from runtime.cgroups.controllers import V1, V2
from runtime.commands.context import MANAGERS, show_json
from runtime.container.state import OCI_VERSION
from runtime.namespaces import FLAGS as NAMESPACES
from runtime.rootfs.options import ATTRIBUTES, PROPAGATIONS, SUPER_FLAGS, parse_options
from runtime.security.capabilities import NAMES
from runtime.security.seccomp.actions import ACTIONS
from runtime.security.seccomp.numbers import AUDIT, FOREIGN
from runtime.security.seccomp.profile import FLAGS as SECCOMP_FLAGS
from runtime.security.seccomp.profile import OPERATORS
from runtime.spec.execution import MEMORY_FLAGS, MEMORY_MODES
from runtime.spec.model import Hooks, Linux, Mount, Process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.commands.arguments import Arguments, Flag
    from runtime.commands.context import Context
    from runtime.spec.model import Json
    from runtime.spec.record import Record

FLAGS: tuple[Flag, ...] = ()
_OLDEST = "1.0.0"
# words that stand for more than a table's entry; listed when the parser has a meaning for them
_WORDS = (
    "bind", "rbind", "remount", "defaults", "silent", "loud", "iversion", "noiversion", "tmpcopyup",
    "idmap", "ridmap",
)  # fmt: skip


def run(context: Context, arguments: Arguments) -> int:
    del context, arguments
    show_json(build_features())
    return 0


def build_features() -> Json:
    return {
        "ociVersionMin": _OLDEST,
        "ociVersionMax": OCI_VERSION,
        "hooks": [_camel(name) for name in Hooks.__annotations__],
        "mountOptions": mount_options(),
        "linux": {
            "namespaces": sorted(NAMESPACES),
            "capabilities": list(NAMES),
            "cgroup": {
                "v1": bool(V1),
                "v2": bool(V2),
                "systemd": "systemd" in MANAGERS,
                "systemdUser": "systemd" in MANAGERS,
                "rdma": "rdma" in V1 and "rdma" in V2,
            },
            "seccomp": {
                "enabled": _reads(Linux, "seccomp"),
                "actions": sorted(ACTIONS),
                "operators": sorted(OPERATORS),
                "archs": sorted({*AUDIT, *FOREIGN}),
                "knownFlags": sorted(SECCOMP_FLAGS),
                "supportedFlags": sorted(SECCOMP_FLAGS),
            },
            "apparmor": {"enabled": _reads(Process, "apparmor_profile")},
            "selinux": {"enabled": _reads(Process, "selinux_label")},
            "intelRdt": dict.fromkeys(
                ("enabled", "schemata", "monitoring"), _reads(Linux, "intel_rdt")
            ),
            "memoryPolicy": {"modes": list(MEMORY_MODES), "flags": list(MEMORY_FLAGS)},
            "netDevices": {"enabled": _reads(Linux, "net_devices")},
            "mountExtensions": {"idmap": {"enabled": _reads(Mount, "uid_mappings")}},
        },
        # they are kept and handed to hooks; none of them changes what is isolated
        "potentiallyUnsafeConfigAnnotations": [],
    }


def mount_options() -> list[str]:
    known = [word for word in _WORDS if not _is_data(word)]
    recursive = (f"r{word}" for word in ATTRIBUTES)
    return sorted({*ATTRIBUTES, *PROPAGATIONS, *SUPER_FLAGS, *known, *recursive})


def _is_data(word: str) -> bool:
    options = parse_options((word,))
    return bool(options.unsupported) or word in options.data


def _reads(record: type[Record], field: str) -> bool:
    return field in record.__annotations__


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
