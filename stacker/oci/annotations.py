"""What of an image's config becomes annotations of a container: image-spec conversion.md.

Runtimes read orders from annotations (crun's `run.oci.*`; CVE-2026-94603), so labels are taken
from a list: those keys whose meaning the specification defines, none of which orders anything.
"""

from __future__ import annotations

from collections.abc import Iterator

from stacker.oci.image_config import ImageConfig

PREFIX = "org.opencontainers.image."

KNOWN = frozenset(
    f"{PREFIX}{name}"
    for name in (
        # annotations.md, "Pre-Defined Annotation Keys"
        "created", "authors", "url", "documentation", "source", "version", "revision", "vendor",
        "licenses", "ref.name", "title", "description", "base.digest", "base.name",
        # conversion.md, "Annotation Fields" and "Config.ExposedPorts"
        "os", "architecture", "variant", "os.version", "os.features", "author", "stopSignal",
        "exposedPorts",
    )
)  # fmt: skip
"""Labels that are passed on."""


def of_image(config: ImageConfig) -> dict[str, str]:
    """Fields of the config, and over them the labels that are known."""
    return {**dict(_fields(config)), **_passed_on(config)}


def left_out(config: ImageConfig) -> tuple[str, ...]:
    """The labels that are not passed on; conversion.md: the user is to be told."""
    return tuple(sorted(set(config.labels) - KNOWN))


def _fields(config: ImageConfig) -> Iterator[tuple[str, str]]:
    values = {
        "os": config.os,
        "architecture": config.architecture,
        "variant": config.variant,
        "os.version": config.os_version,
        "os.features": ",".join(config.os_features),
        "author": config.author,
        "created": config.created_text,
        "stopSignal": config.stop_signal,
        "exposedPorts": ",".join(config.exposed_ports),
    }
    return ((f"{PREFIX}{name}", value) for name, value in values.items() if value)


def _passed_on(config: ImageConfig) -> dict[str, str]:
    return {name: value for name, value in config.labels.items() if name in KNOWN}
