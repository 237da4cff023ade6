"""`linux.cgroupsPath`, as a directory of each hierarchy. Pure.

An absolute path starts at the mount point, a relative one where the runtime itself is (runtime
specification, "Cgroups Path"). The path is text of config.json: it is made clean first, and can
name neither a place outside the hierarchy nor the root of one, which would put the container's
limits on the whole host.
"""

from __future__ import annotations

from runtime.errors import SpecInvalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.detect import Hierarchy, Layout

_LONGEST_NAME = 255
_LONGEST_PATH = 3840  # PATH_MAX less the mount point and the name of a file


def check_path(cgroups_path: str) -> str:
    """The path, cleaned; it stays relative if it was."""
    if "/" not in cgroups_path and cgroups_path.count(":") == 2:
        raise SpecInvalid(
            f"linux.cgroupsPath: {cgroups_path!r} names a systemd unit: it needs --systemd-cgroup"
        )
    if "\0" in cgroups_path or "\n" in cgroups_path:
        raise SpecInvalid("linux.cgroupsPath: holds a character that no cgroup has")
    clean = _clean(cgroups_path)
    if not clean:
        raise SpecInvalid(f"linux.cgroupsPath: {cgroups_path!r} is the root of the hierarchy")
    if any(len(part.encode("utf-8", "surrogateescape")) > _LONGEST_NAME for part in clean):
        raise SpecInvalid(f"linux.cgroupsPath: a name is longer than {_LONGEST_NAME} bytes")
    if len(cgroups_path.encode("utf-8", "surrogateescape")) > _LONGEST_PATH:
        raise SpecInvalid(f"linux.cgroupsPath: longer than {_LONGEST_PATH} bytes")
    return ("/" if cgroups_path.startswith("/") else "") + "/".join(clean)


def directory(hierarchy: Hierarchy, path: str) -> str:
    if path.startswith("/"):
        return hierarchy.mountpoint + path
    base = hierarchy.own_path.rstrip("/")
    if hierarchy.version == 2:
        # a cgroup that has members cannot hand controllers to its children ("no internal
        # processes", cgroups(7)): beside the runtime, not below it
        base = base.rpartition("/")[0]
    return f"{hierarchy.mountpoint}{base}/{path}"


def directories(layout: Layout, path: str) -> tuple[dict[str, str], str | None]:
    """({controller: directory} of version 1, directory of version 2)."""
    legacy = {
        controller: directory(hierarchy, path)
        for hierarchy in layout.legacy
        for controller in hierarchy.controllers
    }
    return legacy, None if layout.unified is None else directory(layout.unified, path)


def _clean(path: str) -> list[str]:
    """The names of a path, `..` taken as in a root that cannot be left."""
    names: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del names[-1:]
        elif part not in ("", "."):
            names.append(part)
    return names
