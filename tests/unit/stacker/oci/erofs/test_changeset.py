"""Entries in the order of the archive, as a tree: no kernel needed."""

from __future__ import annotations

import stat
from collections.abc import Callable
from typing import Any

import pytest

from stacker.base.errors import Corrupt
from stacker.oci.erofs.changeset import Changeset
from stacker.oci.erofs.nodes import Attributes, Directory, Node


def mode(bits: int) -> Attributes:
    return Attributes(mode=stat.S_IFDIR | bits)


def file() -> Node:
    return Node(stat.S_IFREG, 0)


def symlink(target: bytes) -> Node:
    return Node(stat.S_IFLNK, 0, target)


def tree(directory: Directory) -> dict[bytes, Any]:
    return {
        name: tree(child) if isinstance(child, Directory) else child
        for name, child in directory.children.items()
    }


@pytest.fixture
def changes() -> Changeset:
    return Changeset(nodes_max=100)


@pytest.mark.parametrize("path", [b"a/f", b"/a/f", b"./a//f", b"../../a/f", b"a/../a/./f", b"l/f"])
def test_one_place_has_many_names(changes: Changeset, path: bytes) -> None:
    changes.directory(b"a/", mode(0o700))
    changes.put(b"l", symlink(b"/../a/."))
    node = file()
    changes.put(path, node)
    assert tree(changes.root)[b"a"] == {b"f": node}


def test_implied_directories_are_known_as_such(changes: Changeset) -> None:
    changes.put(b"a/b/f", file())
    changes.directory(b"a", mode(0o711))
    a = changes.root.children[b"a"]
    assert isinstance(a, Directory)
    b = a.children[b"b"]
    assert isinstance(b, Directory)
    assert (a.listed, a.attributes.mode & 0o777) == (True, 0o711)
    assert (b.listed, b.attributes.mode & 0o777) == (False, 0o755)
    assert not changes.root.listed
    changes.directory(b"./", mode(0o700))
    assert changes.root.listed


def test_replacing_a_directory_forgets_the_paths_through_it(changes: Changeset) -> None:
    changes.put(b"a/b/f", file())
    changes.put(b"a", symlink(b"c"))
    new = file()
    changes.put(b"a/b/f", new)
    assert tree(changes.root)[b"c"] == {b"b": {b"f": new}}


def test_replacing_a_symlink_forgets_the_paths_through_it(changes: Changeset) -> None:
    changes.put(b"a", symlink(b"c"))
    changes.put(b"a/one", file())
    changes.directory(b"a", mode(0o755))
    changes.put(b"a/two", file())
    assert [sorted(each) for each in (tree(changes.root)[b"a"], tree(changes.root)[b"c"])] == [
        [b"two"],
        [b"one"],
    ]


def test_hard_links_share_their_node(changes: Changeset) -> None:
    node, link = file(), symlink(b"d/f")
    changes.put(b"d/f", node)
    changes.put(b"s", link)
    assert changes.link(b"hard", b"/d/../d/f")
    assert changes.link(b"to-the-symlink", b"s")
    assert not changes.link(b"nothing", b"missing/f")
    assert changes.link(b"hard", b"hard")
    found = tree(changes.root)
    assert found[b"hard"] is node
    assert found[b"to-the-symlink"] is link
    assert b"nothing" not in found


@pytest.mark.parametrize("first", [True, False])
def test_whiteouts_do_not_depend_on_their_position(changes: Changeset, *, first: bool) -> None:
    def hide() -> None:
        for name in (b"d", b"f", b"gone"):
            changes.whiteout(b".wh." + name)

    if first:
        hide()
    changes.directory(b"d", mode(0o700))
    changes.put(b"f", file())
    if not first:
        hide()
    assert list(changes.settle()) == [(changes.root, b"gone")]
    d = changes.root.children[b"d"]
    assert isinstance(d, Directory)
    assert d.opaque


def test_there_are_no_whiteouts_below_an_opaque_directory(changes: Changeset) -> None:
    changes.whiteout(b"a/b/.wh.x")
    changes.whiteout(b"a/.wh.y")
    changes.whiteout(b"a/.wh..wh..opq")
    assert list(changes.settle()) == []


def test_refusals(changes: Changeset) -> None:
    changes.put(b"f", file())
    changes.put(b"loop", symlink(b"loop"))
    changes.directory(b"d", mode(0o755))
    for path in (b"f/x", b"loop/x", b"n" * 256, b"n" * 256 + b"/f", b"a/..", b".wh.x/f", b"/", b""):
        with pytest.raises(Corrupt):
            changes.put(path, file())
    for target in (b"d", b"/", b"f/x", b"d/.."):
        with pytest.raises(Corrupt):
            changes.link(b"l", target)


def test_bounds() -> None:
    changes = Changeset(nodes_max=3)
    with pytest.raises(Corrupt, match="more files"):
        changes.put(b"a/b/c/d", file())
    changes = Changeset(nodes_max=3)
    with pytest.raises(Corrupt, match="too long"):
        changes.put(b"a/../" * 200 + b"f", file())


@pytest.mark.parametrize(
    "refused",
    [
        lambda changes: changes.directory(b"ab", Attributes(mode=0o40755, xattrs={b"user.x": b""})),
        lambda changes: changes.put(b"abc", file()),
        lambda changes: changes.put(b"a/b/c", file()),
        lambda changes: changes.whiteout(b".wh.abc"),
        lambda changes: changes.link(b"abc", b"ab/cd/ef"),
        lambda changes: changes.count_text(3),
    ],
    ids=["xattr", "name", "implied", "whiteout", "link", "symlink"],
)
def test_text_is_bounded(refused: Callable[[Changeset], object]) -> None:
    changes = Changeset(nodes_max=100, text_max=10)
    changes.put(b"ab/cd/ef", file())
    changes.whiteout(b"ab/.wh.gh")
    with pytest.raises(Corrupt, match="take more than allowed"):
        refused(changes)


@pytest.mark.parametrize("path", [b"", b"/", b"./", b"a/.."])
def test_the_root_is_no_hard_link(changes: Changeset, path: bytes) -> None:
    changes.put(b"f", file())
    with pytest.raises(Corrupt):
        changes.link(path, b"f")
    assert set(changes.root.children) == {b"f"}
