"""features: what this runtime can do, as the specification's features document."""

from __future__ import annotations

from runtime.commands.context import show_json
from runtime.namespaces import FLAGS as NAMESPACES
from runtime.rootfs.options import ATTRIBUTES, PROPAGATIONS, SUPER_FLAGS
from runtime.security.capabilities import NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.commands.arguments import Arguments, Flag
    from runtime.commands.context import Context

FLAGS: tuple[Flag, ...] = ()
HOOKS = (
    "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop",
)  # fmt: skip


def run(context: Context, arguments: Arguments) -> int:
    del context, arguments
    options = {*ATTRIBUTES, *PROPAGATIONS, *SUPER_FLAGS, "bind", "rbind", "remount"}
    options |= {f"r{word}" for word in ATTRIBUTES}
    show_json(
        {
            "ociVersionMin": "1.0.0",
            "ociVersionMax": "1.2.0",
            "hooks": HOOKS,
            "mountOptions": sorted(options),
            "linux": {
                "namespaces": sorted(NAMESPACES),
                "capabilities": NAMES,
                "cgroup": {"v1": True, "v2": True, "systemd": False, "systemdUser": False},
                "seccomp": {"enabled": True},
                "apparmor": {"enabled": True},
                "selinux": {"enabled": True},
                "intelRdt": {"enabled": False},
                "mountExtensions": {"idmap": {"enabled": False}},
            },
        }
    )
    return 0
