"""Layers over layers, mounted as a container sees them, against a model of sequential unpacking."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stacker.base.errors import Corrupt
from stacker.drivers.images.layers import LayerResult
from stacker.drivers.mounts import Mounts
from tests.integration.layers.conftest import EXAMPLES

pytestmark = pytest.mark.root

Tree = dict[tuple[str, ...], Any]


class Stack:
    """Image files mounted under an empty upper directory."""

    def __init__(self, layers: Any) -> None:
        self._layers = layers
        self.mounts = Mounts(layers.path())

    def tree(self, *images: Path) -> dict[str, Any]:
        """Paths with content (files), None (directories) or target (symlinks)."""
        base = self._layers.path()
        target = base / "rootfs"

        async def run() -> dict[str, Any]:
            run_mounts = Mounts(base)
            await run_mounts.mount_rootfs(
                "c", images, upper=base / "upper", work=base / "work", target=target
            )
            try:
                return simple(target)
            finally:
                await run_mounts.unmount_rootfs(target)
                await run_mounts.close()

        return anyio.run(run)


def simple(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = "-> " + os.readlink(path)
        elif path.is_dir():
            found[name] = oct(path.stat().st_mode & 0o7777)
        else:
            found[name] = path.read_bytes()
    return found


@pytest.fixture(scope="module")
def stack(layers: Any) -> Stack:
    return Stack(layers)


PARTS = st.sampled_from(["a", "b", "c"])
PATHS = st.lists(PARTS, min_size=1, max_size=3).map(tuple)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("file"), PATHS, st.binary(max_size=4)),
        st.tuples(st.just("dir"), PATHS, st.sampled_from([0o700, 0o755, 0o1777])),
        st.tuples(st.just("hide"), PATHS, st.none()),
        st.tuples(st.just("opaque"), PATHS, st.none()),
    ),
    max_size=8,
)


def without(tree: Tree, path: tuple[str, ...], *, itself: bool = True) -> Tree:
    """The tree less what is below `path`, and less that."""
    return {
        at: value
        for at, value in tree.items()
        if at[: len(path)] != path or (at == path and not itself)
    }


def above(path: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [path[:length] for length in range(1, len(path))]


def apply(lower: Tree, changes: list[Any], layers: Any) -> tuple[Tree, bytes]:
    """What a sequential unpacking makes of one layer, and the layer's archive.

    Parents are listed before what is in them, as the layers of docker and BuildKit have them.
    """
    members: list[Any] = []
    tree = dict(lower)
    for kind, path, _ in changes:  # whiteouts see the lower layers only, wherever they stand
        if kind == "hide":
            tree = without(tree, path)
        elif kind == "opaque":
            tree = without(tree, path, itself=False)
    own: Tree = {}

    def put(path: tuple[str, ...], value: Any, member: Any) -> None:
        nonlocal tree, own
        if not (isinstance(value, int) and isinstance(tree.get(path), int)):
            tree, own = without(tree, path), without(own, path)
        tree[path] = own[path] = value
        members.append(member)

    def parents(path: tuple[str, ...]) -> None:
        for parent in above(path):
            if not isinstance(own.get(parent), int):
                put(parent, 0o755, layers.directory("/".join(parent)))

    for kind, path, value in changes:
        name = "/".join(path)
        parents(path)
        if kind == "file":
            put(path, value, layers.member(name, value))
        elif kind == "dir":
            put(path, value, layers.directory(name, mode=value))
        elif kind == "hide":
            members.append(layers.member("/".join((*path[:-1], f".wh.{path[-1]}"))))
        else:
            parents((*path, "x"))
            members.append(layers.member(f"{name}/.wh..wh..opq"))
    return tree, layers.archive(*members)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(CHANGES, min_size=1, max_size=4))
def test_stacked_layers_equal_the_model(layers: Any, stack: Stack, changes: list[Any]) -> None:
    tree: Tree = {}
    results: list[LayerResult] = []
    for each in changes:
        tree, data = apply(tree, each, layers)
        results.append(layers.build(data))
    expected = {
        "/".join(path): oct(value) if isinstance(value, int) else value
        for path, value in tree.items()
    }
    assert stack.tree(*layers.stacked(*results)) == expected


def test_an_opaque_root_hides_every_lower_layer(layers: Any, stack: Stack) -> None:
    lower = layers.layer(layers.member("lower", b"1")).path
    upper = layers.layer(layers.member(".wh..wh..opq"), layers.member("upper", b"2")).path
    top = layers.layer(layers.member("top", b"3")).path
    assert stack.tree(lower, upper, top) == {"top": b"3", "upper": b"2"}


def test_whiteouts_hide_directories_and_their_own_layer_shows(layers: Any, stack: Stack) -> None:
    lower = layers.layer(layers.directory("d"), layers.member("d/old", b"1")).path
    for order in ((".wh.d", "d"), ("d", ".wh.d")):
        members = {"d": layers.directory("d"), ".wh.d": layers.member(".wh.d")}
        upper = layers.layer(*(members[name] for name in order), layers.member("d/new", b"2"))
        assert stack.tree(lower, upper.path) == {"d": "0o755", "d/new": b"2"}


def test_a_directory_that_was_a_file_meanwhile_hides_the_lower_one(
    layers: Any, stack: Stack
) -> None:
    lower = layers.layer(layers.directory("d"), layers.member("d/old", b"1")).path
    upper = layers.layer(layers.member("d", b"file"), layers.directory("d")).path
    assert stack.tree(lower, upper) == {"d": "0o755"}


def test_entries_replace_earlier_ones(layers: Any, stack: Stack) -> None:
    result = layers.layer(
        layers.directory("d", mode=0o700),
        layers.member("d/f", b"first"),
        layers.link("hard", "d/f"),
        layers.member("d/f", b"second"),
        layers.directory("d", mode=0o711),
        layers.member("gone", b"x"),
        layers.directory("gone"),
        layers.directory("tree"),
        layers.member("tree/inner", b"x"),
        layers.symlink("tree", "d"),
        layers.member("tree/through", b"y"),
        layers.link("d/f", "d/f"),
    )
    assert stack.tree(result.path) == {
        "d": "0o711",
        "d/f": b"second",
        "d/through": b"y",
        "gone": "0o755",
        "hard": b"first",
        "tree": "-> d",
    }


def test_paths_stay_inside_and_follow_the_layers_own_symlinks(layers: Any, stack: Stack) -> None:
    result = layers.layer(
        layers.directory("real/sub"),
        layers.symlink("abs", "/real"),
        layers.symlink("up", "../../../real/sub"),
        layers.symlink("chain", "abs/sub"),
        layers.member("abs/one", b"1"),
        layers.member("up/two", b"2"),
        layers.member("chain/../three", b"3"),
        layers.member("../../../four", b"4"),
        layers.member("/five", b"5"),
        layers.member("./x/.././six", b"6"),
        layers.link("seven", "/abs/one"),
        layers.link("linked-link", "chain"),
    )
    assert result.implied
    found = stack.tree(result.path)
    assert {name: content for name, content in found.items() if isinstance(content, bytes)} == {
        "real/one": b"1",
        "real/sub/two": b"2",
        "real/three": b"3",
        "four": b"4",
        "five": b"5",
        "six": b"6",
        "seven": b"1",
    }
    assert found["linked-link"] == "-> abs/sub"


def test_what_overlayfs_would_obey_is_dropped(layers: Any, stack: Stack) -> None:
    xattrs = {
        f"SCHILY.xattr.{name}": "y"
        for name in (
            "trusted.overlay.opaque", "trusted.overlay.redirect", "trusted.overlay.metacopy",
            "user.overlay.opaque", "trusted.other", "security.selinux", "security.ima", "other.x",
            "user.kept",
        )
    }  # fmt: skip
    lower = layers.layer(layers.directory("d"), layers.member("d/f", b"1")).path
    result = layers.layer(layers.directory("d", pax_headers=xattrs))
    with layers.mounted(result.path) as root:
        assert os.listxattr(root / "d") == ["user.kept"]
    assert stack.tree(lower, result.path)["d/f"] == b"1"


HOSTILE = {
    "device 0:0": lambda t: [t.member("c", kind=tarfile.CHRTYPE, devmajor=0, devminor=0)],
    "bare whiteout prefix": lambda t: [t.member("d/.wh.")],
    "whiteout of dot": lambda t: [t.member(".wh..")],
    "whiteout of dot dot": lambda t: [t.member("d/.wh...")],
    "aufs bookkeeping": lambda t: [t.member(".wh..wh.plnk")],
    "whiteout with content": lambda t: [t.member(".wh.f", b"x")],
    "whiteout directory": lambda t: [t.directory(".wh.d")],
    "whiteout as a parent": lambda t: [t.member("a/.wh.b/c")],
    "whiteout symlink": lambda t: [t.symlink(".wh.f", "x")],
    "the root as a file": lambda t: [t.member("./", kind=tarfile.FIFOTYPE)],
    "the root as a symlink": lambda t: [t.symlink("/.", "/etc")],
    "a name that ends in dot dot": lambda t: [t.directory("a/..")],
    "a long component": lambda t: [t.member("n" * 256)],
    "a long parent": lambda t: [t.member("n" * 256 + "/f")],
    "a file as a parent": lambda t: [t.member("f", b"x"), t.member("f/g")],
    "a hard link to a directory": lambda t: [t.directory("d"), t.link("l", "d")],
    "a hard link to the root": lambda t: [t.link("l", "/")],
    "a symlink loop as a parent": lambda t: [
        t.symlink("a", "b"), t.symlink("b", "a"), t.member("a/f"),
    ],
    "an endless symlink as a parent": lambda t: [t.symlink("a", "a/a"), t.member("a/f")],
}  # fmt: skip


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_refused(layers: Any, make: Any) -> None:
    before = set(os.listdir(layers.base))
    with pytest.raises(Corrupt):
        layers.layer(*make(layers))
    assert set(os.listdir(layers.base)) == before, "nothing is left behind"


def test_repeated_opaque_markers_cost_nothing(layers: Any) -> None:
    """CVE-2026-95838: each one made containerd walk the directory again."""
    files = [layers.member(f"d/{number}") for number in range(2000)]
    markers = [layers.member("d/.wh..wh..opq")] * 20_000
    result = layers.layer(*files, *markers)
    assert result.entries == 22_000
