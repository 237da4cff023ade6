"""Platforms: parsing them, and choosing an index's entry for one.

A newer processor runs what was built for an older one of its family, so the choice goes down a
list of what the wanted platform can run, best first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stacker.base.errors import Invalid, NotFound

if TYPE_CHECKING:
    from stacker.oci.descriptor import Descriptor

_PART = re.compile(r"[a-zA-Z0-9_.-]{1,40}", re.ASCII)

MACHINES = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "i386": ("386", ""),
    "i686": ("386", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "ppc64el": ("ppc64le", ""),
}
"""Names that kernels and distributions give to architectures → the names images use."""

DEFAULT_VARIANTS = {("arm64", "v8"): "", ("amd64", "v1"): "", ("arm", ""): "v7"}
"""Spellings of the same variant; the right side is the one kept."""

OLDER_VARIANTS = {
    "arm": ("v8", "v7", "v6", "v5"),
    "amd64": ("v4", "v3", "v2", ""),
    "arm64": ("v9", ""),
}
"""Variants of an architecture, each able to run all to its right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))

    @classmethod
    def make(
        cls,
        *,
        os: str,
        architecture: str,
        variant: str = "",
        os_version: str = "",
        os_features: tuple[str, ...] = (),
    ) -> Platform:
        """Build one with its names normalised."""
        architecture, implied = MACHINES.get(architecture.lower(), (architecture.lower(), ""))
        variant = variant.lower() or implied
        return cls(
            os=os.lower(),
            architecture=architecture,
            variant=DEFAULT_VARIANTS.get((architecture, variant), variant),
            os_version=os_version,
            os_features=os_features,
        )

    @classmethod
    def parse(cls, text: str) -> Platform:
        """`linux/arm64/v8`, `linux/amd64` or, for Linux, `arm64`."""
        parts = text.split("/")
        if len(parts) > 3 or not all(_PART.fullmatch(part) for part in parts):
            raise Invalid(f"{text[:80]!r} is not a platform (os/architecture[/variant])")

        if len(parts) == 1:
            parts = ["linux", *parts]
        return cls.make(
            os=parts[0], architecture=parts[1], variant=parts[2] if len(parts) > 2 else ""
        )

    def runnable(self) -> tuple[Platform, ...]:
        """What this platform can run, best first."""
        variants = OLDER_VARIANTS.get(self.architecture, (self.variant,))
        if self.variant in variants:
            variants = variants[variants.index(self.variant) :]
        else:
            variants = (self.variant,)
        own = [
            Platform(os=self.os, architecture=self.architecture, variant=variant)
            for variant in variants
        ]
        if self.architecture == "amd64":
            own.append(Platform(os=self.os, architecture="386"))
        return tuple(own)

    def can_run(self, other: Platform) -> bool:
        """Whether an image built for the other runs here."""
        wanted = Platform(os=other.os, architecture=other.architecture, variant=other.variant)
        return wanted in self.runnable()


def choose(manifests: Iterable[Descriptor], wanted: Platform) -> Descriptor:
    """The entry of an index that suits the platform best; the first of equals."""
    candidates = [(entry, entry.platform) for entry in manifests if entry.platform is not None]
    for platform in wanted.runnable():
        for entry, offered in candidates:
            if (offered.os, offered.architecture, offered.variant) == (
                platform.os,
                platform.architecture,
                platform.variant,
            ):
                return entry

    seen = sorted({str(offered) for _, offered in candidates if offered.os != "unknown"})
    raise NotFound(f"no image for {wanted} in the index, only for {', '.join(seen[:20]) or 'none'}")
