"""AppArmor: `process.apparmorProfile` takes effect at exec.

`open_exec` before the container's root is entered, `set_exec` right before exec. A profile that
is asked for and cannot be had is an error: a container never runs with less than was asked for.
"""

from __future__ import annotations

from runtime.errors import NotSupported, SpecInvalid
from runtime.security.label import open_label, write_label

_WHAT = "process.apparmorProfile"


def is_enabled() -> bool:
    try:
        with open("/sys/module/apparmor/parameters/enabled", encoding="ascii") as file:
            return file.read().strip() == "Y"
    except OSError:
        return False


def open_exec(profile: str) -> int:
    """The fd to give to `set_exec`."""
    if not profile or any(character in profile for character in "\0\n"):
        raise SpecInvalid(f"{_WHAT}: {profile!r} is not the name of a profile")
    if not is_enabled():
        raise NotSupported(f"{_WHAT}: {profile}: AppArmor is not enabled on this host")
    try:
        # Linux 5.8 gave each security module a directory; the old file is the first one's
        return open_label("attr/apparmor/exec", _WHAT)
    except NotSupported:
        return open_label("attr/exec", _WHAT)


def set_exec(descriptor: int, profile: str) -> None:
    write_label(descriptor, f"exec {profile}", _WHAT)
