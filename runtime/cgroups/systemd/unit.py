"""`slice:prefix:name`, the form of `linux.cgroupsPath` with systemd's manager. Pure.

A slice `a-b.slice` lies in `a.slice` (systemd.slice(5)); a unit's name is made of a few
characters (systemd.unit(5)), so that none can name another place of the tree.
"""

from __future__ import annotations

from runtime.errors import SpecInvalid

_SLICE = ".slice"
_ROOT = "-.slice"
_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\\\@")
_LONGEST = 255


class SystemdPath:
    __slots__ = ("slice", "unit")

    def __init__(self, *, slice_: str, unit: str) -> None:
        self.slice = slice_
        self.unit = unit

    @property
    def is_slice(self) -> bool:
        """The container lives in a slice of its own, which takes its processes like any cgroup."""
        return self.unit.endswith(_SLICE)

    @property
    def directory(self) -> str:
        """From the cgroup of the systemd asked: starts with `/`."""
        if self.is_slice:
            return slice_directory(self.unit)
        return f"{slice_directory(self.slice)}/{self.unit}"


def parse_systemd_path(cgroups_path: str, identity: str, *, rootless: bool) -> SystemdPath:
    """An empty path is `:stacker:ID`, as runc has it with its own name."""
    parts = cgroups_path.split(":") if cgroups_path else ["", "stacker", identity]
    if len(parts) != 3 or not parts[2] or "/" in cgroups_path:
        raise SpecInvalid(
            f"linux.cgroupsPath: {cgroups_path!r} is not of systemd's form slice:prefix:name"
        )
    slice_, prefix, name = parts
    slice_ = slice_ or ("user.slice" if rootless else "system.slice")
    slice_directory(slice_)
    if name.endswith(_SLICE):
        slice_directory(name)
        return SystemdPath(slice_=slice_, unit=name)
    unit = f"{prefix}-{name}.scope" if prefix else f"{name}.scope"
    return SystemdPath(slice_=slice_, unit=_checked(unit))


def slice_directory(name: str) -> str:
    """`a-b.slice` as `/a.slice/a-b.slice`; the root slice is empty."""
    if name == _ROOT:
        return ""
    stem = _checked(name).removesuffix(_SLICE)
    if stem == name or not all(stem.split("-")):
        raise SpecInvalid(f"linux.cgroupsPath: {name!r} is not the name of a slice")
    words = stem.split("-")
    levels = ("-".join(words[: count + 1]) for count in range(len(words)))
    return "".join(f"/{level}{_SLICE}" for level in levels)


def _checked(name: str) -> str:
    if not name or len(name) > _LONGEST or set(name) - _CHARACTERS:
        raise SpecInvalid(f"linux.cgroupsPath: {name!r} is not the name of a systemd unit")
    return name
