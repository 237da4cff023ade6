"""The default AppArmor profile: loaded once, when the supervisor starts, where AppArmor is on.

The profile's name carries a digest of its text. Another version of stacker loads another profile
beside it, and what runs under the old one keeps it; one that the kernel has already is not loaded
again. The text is compiled by ``apparmor_parser``, which comes with AppArmor on every host.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ENABLED = Path("/sys/module/apparmor/parameters/enabled")
LOADED = Path("/sys/kernel/security/apparmor/profiles")
ABI = Path("/etc/apparmor.d/abi/3.0")

_SEARCHED = "/usr/sbin:/sbin:/usr/bin:/bin"
"""Fixed: the environment of whoever started us has no say in what runs here."""
_DEADLINE_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AppArmor:
    """Which profile confines containers that name none, or why there is none."""

    profile: str | None = None
    reason: str = ""
    enabled: bool = False
    """Without a profile on such a host something is wrong, and the user is warned."""

    def __str__(self) -> str:
        return self.profile or f"unavailable ({self.reason})"


def profile_text(*, abi: bool) -> tuple[str, str]:
    """Return the profile's name and text; ``abi``: the host has the description of AppArmor 3's.

    With it a kernel that mediates more than that leaves the rest alone, instead of denying what
    the text does not know of.
    """
    text = Path(__file__).with_name("apparmor.profile").read_text(encoding="ascii")
    if abi:
        text = f"abi <abi/3.0>,\n{text}"
    name = f"stacker-default-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    return name, text.replace("NAME", name)


def load_profile() -> AppArmor:
    """Make sure that the kernel has the profile; blocking, a parser's run at most."""
    if not is_enabled():
        return AppArmor(reason="AppArmor is off on this host")
    name, text = profile_text(abi=ABI.exists())
    if name in loaded_profiles():
        return AppArmor(profile=name, enabled=True)
    failure = _parse(text)
    if failure:
        return AppArmor(reason=failure, enabled=True)
    return AppArmor(profile=name, enabled=True)


def is_enabled() -> bool:
    try:
        return ENABLED.read_text(encoding="ascii").strip() == "Y"
    except OSError:
        return False


def loaded_profiles() -> frozenset[str]:
    """Names of what the kernel has; none where securityfs is not mounted."""
    try:
        lines = LOADED.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    # NAME (MODE)
    return frozenset(line.rpartition(" (")[0] for line in lines)


def _parse(text: str) -> str:
    """Compile and load; return what went wrong, or nothing."""
    parser = shutil.which("apparmor_parser", path=_SEARCHED)
    if parser is None:
        return "apparmor_parser is not installed"
    try:
        done = subprocess.run(
            # no cache: a file below /var for a text that is compiled once a boot
            [parser, "--replace", "--skip-cache", "--quiet"],
            input=text.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_DEADLINE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"apparmor_parser: {error}"
    if done.returncode == 0:
        return ""
    said = " ".join(done.stderr.decode("utf-8", "replace").split())
    return f"apparmor_parser ended with {done.returncode}: {said[-300:]}"
