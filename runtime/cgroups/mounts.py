"""What the `cgroup` mount of config.json shows a container. Pure: it is described, not made.

Version 2 only: one file system. With version 1 trees: a tmpfs with a directory for each of them,
as hosts have it. In a cgroup namespace of its own the container mounts the file systems and sees
its own directory as their root; without one its directories are bound from the host, so that the
rest of the tree stays out of sight.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.cgroup import Cgroup
    from runtime.cgroups.detect import Layout

_UNIFIED = "unified"


class CgroupMount:
    """One mount, relative to the destination of config.json's; made in the order of the list.

    A tmpfs comes first and is made read-only, where the destination is, after the rest.
    """

    __slots__ = ("data", "kind", "links", "source", "target")

    def __init__(
        self,
        kind: str,
        target: str,
        *,
        source: str = "",
        data: tuple[str, ...] = (),
        links: tuple[str, ...] = (),
    ) -> None:
        self.kind = kind
        """`tmpfs`, `cgroup`, `cgroup2` (file systems to mount), or `bind`."""
        self.target = target
        """Empty: the destination itself."""
        self.source = source
        """The host's directory, for `bind`."""
        self.data = data
        """Options of the file system: `word` or `key=value`."""
        self.links = links
        """Symbolic links to make beside the target, which point to it."""


def cgroup_mounts(layout: Layout, cgroup: Cgroup, *, private: bool) -> list[CgroupMount]:
    """`private`: the container has a cgroup namespace of its own, and is in it already."""
    if not layout.legacy:
        return [_unified("", cgroup, private=private)]
    mounts = [CgroupMount("tmpfs", "", data=("mode=755", "size=64k"))]
    for hierarchy in layout.legacy:
        names = hierarchy.controllers
        first = names[0]
        target = ",".join(name.removeprefix("name=") for name in names)
        # cpu,cpuacct is looked for under each of its names
        links = names if len(names) > 1 else ()
        if private:
            data = names if not first.startswith("name=") else ("none", *names)
            mounts.append(CgroupMount("cgroup", target, data=data, links=links))
        else:
            source = cgroup.legacy[first]
            mounts.append(CgroupMount("bind", target, source=source, links=links))
    if layout.unified is not None:
        mounts.append(_unified(_UNIFIED, cgroup, private=private))
    return mounts


def _unified(target: str, cgroup: Cgroup, *, private: bool) -> CgroupMount:
    if private or cgroup.unified is None:
        return CgroupMount("cgroup2", target)
    return CgroupMount("bind", target, source=cgroup.unified)
