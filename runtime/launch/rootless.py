"""When the caller is not the host's root: what is asked for then, and what is left out."""

from __future__ import annotations

import os

from runtime.errors import SpecInvalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.spec.model import Spec


def is_rootless(flag: str) -> bool:
    """`flag` is --rootless: true, false, or auto."""
    if flag != "auto":
        return flag == "true"
    return os.geteuid() != 0 or _in_user_namespace()


def _in_user_namespace() -> bool:
    try:
        with open("/proc/self/uid_map", encoding="ascii") as file:
            return file.read().split() != ["0", "0", str(2**32 - 1)]
    except FileNotFoundError:
        # a kernel without user namespaces
        return False


def check_user_namespace(spec: Spec) -> None:
    if os.geteuid() != 0 and not spec.has_namespace("user"):
        raise SpecInvalid("linux.namespaces: who is not root needs a user namespace")
