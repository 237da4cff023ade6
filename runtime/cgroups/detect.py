"""Which cgroup hierarchies this host has, and which of them holds which controller.

`parse_layout` is pure; `detect` reads /proc/self. Nothing is taken from names of directories:
a hierarchy may be mounted anywhere.
"""

from __future__ import annotations

from runtime.errors import KernelFault, NotSupported

_NAMED = "name="


class Hierarchy:
    """One mounted cgroup tree."""

    __slots__ = ("controllers", "mountpoint", "own_path", "version")

    def __init__(
        self, *, mountpoint: str, controllers: tuple[str, ...], version: int, own_path: str
    ) -> None:
        self.mountpoint = mountpoint
        self.controllers = controllers
        """Names; a version 1 tree without controllers has its `name=...` here."""
        self.version = version
        self.own_path = own_path
        """Where the calling process is, from the mount point on; starts with `/`."""


class Layout:
    """All hierarchies of the host: `mode` is v1, v2 or hybrid."""

    __slots__ = ("legacy", "mode", "unified")

    def __init__(self, *, legacy: tuple[Hierarchy, ...], unified: Hierarchy | None) -> None:
        self.legacy = legacy
        """The trees of version 1."""
        self.unified = unified
        """The tree of version 2."""
        if unified is None:
            self.mode = "v1"
        else:
            self.mode = "hybrid" if legacy else "v2"

    def holder(self, controller: str) -> Hierarchy | None:
        """The hierarchy that a controller is bound to (it is in one at a time)."""
        for hierarchy in self.legacy:
            if controller in hierarchy.controllers:
                return hierarchy
        if self.unified is not None and controller in self.unified.controllers:
            return self.unified
        return None


def detect(pid: int | str = "self") -> Layout:
    """The hierarchies that the caller sees; `own_path` is where process `pid` is in each."""
    try:
        memberships = _read(f"/proc/{pid}/cgroup")
        layout = parse_layout(_read("/proc/self/mountinfo"), memberships)
        if layout.unified is not None:
            root = layout.unified
            # the mount point may be a delegated subtree, whose own list is what counts
            root.controllers = tuple(_read(f"{root.mountpoint}/cgroup.controllers").split())
    except OSError as error:
        raise KernelFault("read the cgroup hierarchies", error.errno or 0, str(error)) from error
    if not layout.legacy and layout.unified is None:
        raise NotSupported("cgroups: no hierarchy is mounted")
    return layout


def parse_layout(mountinfo: str, memberships: str) -> Layout:
    """Read /proc/self/mountinfo and /proc/self/cgroup; the controllers of version 2 stay empty."""
    own = _own_paths(memberships)
    legacy: dict[tuple[str, ...], Hierarchy] = {}
    unified: Hierarchy | None = None
    for line in mountinfo.splitlines():
        front, _, back = line.partition(" - ")
        fields, kind = front.split(), back.split()
        if len(fields) < 5 or len(kind) < 3 or kind[0] not in ("cgroup", "cgroup2"):
            continue
        root, mountpoint = _unescape(fields[3]), _unescape(fields[4])
        if kind[0] == "cgroup2":
            if unified is None:
                unified = Hierarchy(
                    mountpoint=mountpoint,
                    controllers=(),
                    version=2,
                    own_path=_below(root, own.get((), "/")),
                )
            continue
        controllers = _controllers_of(kind[2].split(","), own)
        # the same hierarchy may be mounted many times: the first one is the host's
        if controllers and controllers not in legacy:
            legacy[controllers] = Hierarchy(
                mountpoint=mountpoint,
                controllers=controllers,
                version=1,
                own_path=_below(root, own[controllers]),
            )
    return Layout(legacy=tuple(legacy.values()), unified=unified)


def _own_paths(memberships: str) -> dict[tuple[str, ...], str]:
    """`4:memory:/a` as {("memory",): "/a"}; version 2's line has no controllers."""
    paths: dict[tuple[str, ...], str] = {}
    for line in memberships.splitlines():
        _, controllers, path = line.split(":", 2)
        paths[tuple(controllers.split(",")) if controllers else ()] = path
    return paths


def _controllers_of(options: list[str], own: dict[tuple[str, ...], str]) -> tuple[str, ...]:
    """Find the hierarchy by its mount options, where other options stand between the names."""
    words = set(options)
    for controllers in own:
        if controllers and all(name in words for name in controllers):
            return controllers
    return ()


def _below(root: str, path: str) -> str:
    """A path of the hierarchy, from a mount of its directory `root` on."""
    if root == "/":
        return path
    if path == root or path.startswith(root + "/"):
        return path[len(root) :] or "/"
    return "/"


def _unescape(field: str) -> str:
    """Spaces and the like are octal in mountinfo (proc_pid_mountinfo(5))."""
    parts = field.split("\\")
    return parts[0] + "".join(chr(int(part[:3], 8)) + part[3:] for part in parts[1:])


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()
