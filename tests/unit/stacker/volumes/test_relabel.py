"""Labels of SELinux on real files: the kernel keeps the attribute with or without the module."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from runtime.linux.libc import syscall
from stacker.base.errors import Invalid
from stacker.drivers.volumes.relabel import PROTECTED, XATTR, relabel

LABEL = "system_u:object_r:container_file_t:s0:c1,c2"
RENAMEAT2 = 316 if os.uname().machine == "x86_64" else 276

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(
        os.path.exists("/sys/fs/selinux/enforce"), reason="the labels here are not of the policy"
    ),
]


def label(path: Path) -> str | None:
    try:
        return os.getxattr(path, XATTR, follow_symlinks=False).rstrip(b"\0").decode()
    except OSError:
        return None


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / "inner/deep").mkdir(parents=True)
    (tree / "inner/file").write_text("x")
    os.mkfifo(tree / "inner/fifo")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("x")
    (tree / "link").symlink_to(outside)
    (tree / "inner/link").symlink_to(outside / "file")
    return tree


def test_a_tree_is_labelled_and_nothing_outside(tree: Path, tmp_path: Path) -> None:
    relabel(str(tree), LABEL)
    assert {label(path) for path in (tree, *tree.rglob("*"))} == {LABEL}
    assert {label(path) for path in (tmp_path, *(tmp_path / "outside").rglob("*"))} == {None}


def test_a_labelled_top_says_that_all_is_done(tree: Path) -> None:
    os.setxattr(tree, XATTR, LABEL.encode() + b"\0")
    relabel(str(tree), LABEL, unless_labelled=True)
    assert label(tree / "inner/file") is None
    relabel(str(tree), LABEL)
    assert label(tree / "inner/file") == LABEL


@pytest.mark.parametrize("path", sorted(PROTECTED))
def test_the_hosts_own_directories_are_refused(path: str) -> None:
    with pytest.raises(Invalid, match="belongs to the host"):
        relabel(path, LABEL)


def test_a_link_to_one_is_refused_too(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(Invalid, match="belongs to the host"):
        relabel(str(tmp_path / "link"), LABEL)


def test_names_that_are_swapped_meanwhile_lead_nowhere(tree: Path, tmp_path: Path) -> None:
    """R15: a container exchanges a directory and a link to the outside while it is labelled."""
    done = threading.Event()

    def swap() -> None:
        one, other = os.fsencode(tree / "inner"), os.fsencode(tree / "link")
        while not done.is_set():
            syscall(RENAMEAT2, -100, one, -100, other, 2)

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        for _ in range(300):
            relabel(str(tree), LABEL)
    finally:
        done.set()
        swapper.join()
    assert {label(path) for path in (tmp_path / "outside", tmp_path / "outside/file")} == {None}
