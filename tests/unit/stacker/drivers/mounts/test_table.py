"""Lines of mountinfo as the kernel writes them (proc_pid_mountinfo(5))."""

from __future__ import annotations

from pathlib import Path

from stacker.drivers.mounts.table import parse

LINES = rb"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
42 22 254:0 /r /r rw,relatime - ext4 /dev/vda rw,discard
43 42 0:39 / /r/layers/aa ro,nosuid,nodev - erofs /var/a\040b.erofs ro,acl,directio
44 42 0:40 / /r/rootfs/c\054\134\012 rw - overlay stacker rw,lowerdir+=/r/layers/b:b,lowerdir+=/r/layers/aa,upperdir=/u,workdir=/w
45 42 0:41 / /r/rootfs/d rw shared:2 master:1 - overlay stacker rw,lowerdir=/r/layers/bb:/r/layers/aa,upperdir=/u2
46 22 0:42 / /running rw - tmpfs tmpfs rw
47 42 0:43 / /r/odd rw - tmpfs none rw
""".strip().splitlines()  # noqa: E501


def test_only_what_is_below() -> None:
    found = list(parse(LINES, Path("/r")))
    assert [str(each.target) for each in found] == [
        "/r", "/r/layers/aa", "/r/rootfs/c,\\\n", "/r/rootfs/d", "/r/odd",
    ]  # fmt: skip
    assert [each.filesystem for each in found][1:4] == ["erofs", "overlay", "overlay"]
    assert found[1].source == "/var/a b.erofs"


def test_layers_of_an_overlay_in_both_notations() -> None:
    _, _, modern, classic, _ = parse(LINES, Path("/r"))
    assert modern.lowers == ("/r/layers/b:b", "/r/layers/aa")
    assert classic.lowers == ("/r/layers/bb", "/r/layers/aa")
    assert (modern.option("upperdir"), classic.option("workdir")) == ("/u", None)


def test_propagation() -> None:
    assert [each.private for each in parse(LINES, Path("/r"))] == [True, True, True, False, True]
