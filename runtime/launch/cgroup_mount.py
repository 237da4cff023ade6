"""Make config.json's mount of type `cgroup`, as `cgroups/mounts.py` has described it."""

from __future__ import annotations

import os

from runtime.errors import step
from runtime.linux.mount import MOUNT_ATTR_RDONLY
from runtime.rootfs.mounts import make_mount
from runtime.rootfs.options import ATTRIBUTES, PROPAGATIONS
from runtime.rootfs.resolve import open_target
from runtime.spec.model import Mount

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.mounts import CgroupMount
    from runtime.rootfs.maker import Maker

_BASE = ("nosuid", "nodev", "noexec")


def mount_cgroups(
    maker: Maker, root: int, asked: Mount, described: tuple[CgroupMount, ...]
) -> None:
    # what is asked for as data (a controller's name) is the host's to say, not config.json's
    words = tuple(word for word in asked.options if _is_ours(word))
    readonly = "ro" in words or "rro" in words
    destination = asked.destination.rstrip("/")
    for one in described:
        options = (*_BASE, *words)
        if one.kind == "tmpfs":
            options = tuple(word for word in options if word not in ("ro", "rro"))
        if one.kind == "bind":
            options = ("bind", *options)
        make_mount(
            maker,
            root,
            Mount(
                destination=f"{destination}/{one.target}" if one.target else destination,
                type="" if one.kind == "bind" else one.kind,
                source=one.source or one.kind,
                options=(*options, *one.data),
            ),
            "/",
        )
        _link(root, destination, one)
    if readonly and described[0].kind == "tmpfs":
        with step(f"make {destination} read-only"):
            top = open_target(root, destination, directory=True)
            maker.set_attributes(top, MOUNT_ATTR_RDONLY)
            os.close(top)


def _is_ours(word: str) -> bool:
    return word in ATTRIBUTES or word in PROPAGATIONS or word.removeprefix("r") in ATTRIBUTES


def _link(root: int, destination: str, one: CgroupMount) -> None:
    if not one.links:
        return
    parent = open_target(root, destination, directory=True)
    # mkdir and symlink want a directory that is open, not just a path
    directory = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=parent)
    os.close(parent)
    with step(f"make the links of {destination}"):
        for name in one.links:
            os.symlink(one.target, name, dir_fd=directory)
    os.close(directory)
