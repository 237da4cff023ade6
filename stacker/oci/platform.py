"""Platforms: parsing them, and choosing an index's entries for one.

A newer processor runs what was built for an older one of its family, so the choice goes down a
list of what the wanted platform can run, best first: the order is containerd's. An entry whose
`os.features` ask for what is not offered is no choice, nor is one of another `os.version` where the
wanted platform has one (image-index.md, "platform").
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stacker.base.errors import Invalid, NotFound
from stacker.oci import media_types

if TYPE_CHECKING:
    from stacker.oci.descriptor import Descriptor

_PART = re.compile(r"[a-zA-Z0-9_.-]{1,40}", re.ASCII)
_OS = re.compile(
    r"([a-zA-Z0-9_.-]{1,40})(?:\(([a-zA-Z0-9_.-]{0,40})((?:\+[a-zA-Z0-9_.-]{1,40})*)\))?", re.ASCII
)

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

ALSO_RUN: dict[str, tuple[tuple[str, str], ...]] = {
    "amd64": (("386", ""),),
    "arm64": (("arm", "v8"), ("arm", "v7"), ("arm", "v6"), ("arm", "v5")),
}
"""What an architecture runs besides its own, after all of its own."""

UNKNOWN = "unknown"
"""The `os` of entries that are no images: attestations beside them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()

    def __str__(self) -> str:
        inner = "+".join((self.os_version, *self.os_features))
        system = f"{self.os}({inner})" if inner else self.os
        return "/".join(filter(None, (system, self.architecture, self.variant)))

    def to_json(self) -> dict[str, object]:
        """The document's form, with empty fields left out."""
        out: dict[str, object] = {
            "architecture": self.architecture,
            "os": self.os,
            "variant": self.variant,
            "os.version": self.os_version,
            "os.features": list(self.os_features),
        }
        return {key: value for key, value in out.items() if value}

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
        """`linux/arm64/v8`, `linux/amd64` or, for Linux, `arm64`; as containerd has it, the system
        may be followed by its version and features: `windows(10.0.17763+win32k)/amd64`."""
        parts = text.split("/")
        if len(parts) == 1:
            parts = ["linux", *parts]
        system = _OS.fullmatch(parts[0])
        if system is None or len(parts) > 3 or not all(map(_PART.fullmatch, parts[1:])):
            raise Invalid(f"{text[:80]!r} is not a platform (os/architecture[/variant])")

        return cls.make(
            os=system[1],
            architecture=parts[1],
            variant=parts[2] if len(parts) > 2 else "",
            os_version=system[2] or "",
            os_features=tuple(filter(None, (system[3] or "").split("+"))),
        )

    def runnable(self) -> tuple[Platform, ...]:
        """What this platform can run, best first."""
        variants = OLDER_VARIANTS.get(self.architecture, (self.variant,))
        if self.variant in variants:
            variants = variants[variants.index(self.variant) :]
        else:
            variants = (self.variant,)
        own = [(self.architecture, variant) for variant in variants]
        return tuple(
            Platform(os=self.os, architecture=architecture, variant=variant)
            for architecture, variant in (*own, *ALSO_RUN.get(self.architecture, ()))
        )

    def can_run(self, other: Platform) -> bool:
        """Whether an image built for the other runs here."""
        return self.rank(other) is not None

    def offers(self, other: Platform) -> bool:
        """Whether the system is of the version, and has the features, that the other asks for."""
        version_suits = not self.os_version or other.os_version in ("", self.os_version)
        return version_suits and set(other.os_features) <= set(self.os_features)

    def rank(self, other: Platform) -> tuple[int, bool] | None:
        """How well the other suits: less is better; None: not at all."""
        wanted = Platform(os=other.os, architecture=other.architecture, variant=other.variant)
        runnable = self.runnable()
        if wanted not in runnable or not self.offers(other):
            return None
        return runnable.index(wanted), other.os_version != self.os_version


def candidates(manifests: Iterable[Descriptor], wanted: Platform) -> tuple[Descriptor, ...]:
    """The entries of an index that may suit, best first; of equals, the first in the document.

    Entries that name no platform come last: what they are is known only from what they lead to.
    """
    entries = list(manifests)
    ranked = [
        (rank, entry)
        for entry in entries
        if entry.platform is not None and (rank := wanted.rank(entry.platform)) is not None
    ]
    ranked.sort(key=lambda pair: pair[0])
    documents = media_types.MANIFESTS | media_types.INDEXES
    silent = [e for e in entries if e.platform is None and e.media_type in documents]
    found = (*(entry for _, entry in ranked), *silent)
    if not found:
        offered = {str(e.platform) for e in entries if e.platform and e.platform.os != UNKNOWN}
        listed = ", ".join(sorted(offered)[:20]) or "none"
        raise NotFound(f"no image for {wanted} in the index, only for {listed}")
    return found


def choose(manifests: Iterable[Descriptor], wanted: Platform) -> Descriptor:
    """The entry of an index that suits the platform best."""
    return candidates(manifests, wanted)[0]
