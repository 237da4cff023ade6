"""What a layer does not know of the layers below it, corrected once they are there."""

from __future__ import annotations

import os
import stat
import subprocess
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from stacker.base.errors import Corrupt
from stacker.drivers.images.layer_complete import complete_layer
from stacker.oci.image import LayerFormat
from tests.integration.layers.conftest import EXAMPLES, merged, sparse

pytestmark = pytest.mark.root


def test_an_implied_directory_looks_as_it_does_below(layers: Any) -> None:
    lower = layers.archive(
        layers.directory("a", mode=0o1750, uid=7, gid=8, mtime=99,
                         pax_headers={"SCHILY.xattr.user.note": "n"}),
        layers.directory("a/b", mode=0o700),
        layers.member("a/b/old", b"1"),
        layers.directory("c", mode=0o711),
    )  # fmt: skip
    upper = layers.archive(
        layers.member("a/b/new", b"2"), layers.directory("c"), layers.member("d/e/f", b"3")
    )
    top = layers.archive(layers.member("a/b/top", b"4"))
    with merged(layers, lower, upper, top) as root:
        a = os.stat(root / "a")
        assert (stat.S_IMODE(a.st_mode), a.st_uid, a.st_gid, a.st_mtime) == (0o1750, 7, 8, 99)
        assert os.getxattr(root / "a", "user.note") == b"n"
        assert stat.S_IMODE(os.stat(root / "a/b").st_mode) == 0o700
        assert sorted(os.listdir(root / "a/b")) == ["new", "old", "top"]
        assert stat.S_IMODE(os.stat(root / "c").st_mode) == 0o755
        assert (root / "d/e/f").read_bytes() == b"3"


def test_whiteouts_of_nothing_do_not_show(layers: Any) -> None:
    """overlayfs lists the whiteouts of a directory that only one layer has."""
    first = layers.archive(
        layers.directory("d", mode=0o700), layers.member("d/.wh.x"), layers.member("d/f", b"1")
    )
    second = layers.archive(layers.member("e/.wh.y"))
    with merged(layers, first, second) as root:
        assert sorted(os.listdir(root)) == ["d", "e"]
        assert os.listdir(root / "d") == ["f"]
        assert os.listdir(root / "e") == []
        assert stat.S_IMODE(os.stat(root / "d").st_mode) == 0o700


def test_nothing_to_correct_makes_no_image(layers: Any) -> None:
    result = layers.layer(layers.member("new/f", b"1"))
    assert result.implied
    target = layers.path(".fix")
    assert complete_layer(result.path, [], target, format=layers.format) is None
    assert not target.exists()


def test_files_below_a_lower_symlink_land_where_it_leads(layers: Any) -> None:
    lower = layers.archive(
        layers.directory("usr", mode=0o711),
        layers.directory("usr/lib", mode=0o750),
        layers.member("usr/lib/old", b"1"),
        layers.member("usr/lib/gone", b"1"),
        layers.directory("usr/lib/sub", mode=0o700),
        layers.symlink("lib", "usr/lib"),
        layers.symlink("abs", "/lib/sub"),
    )
    upper = layers.archive(
        layers.member("lib/new", b"2" * 10_000),
        layers.link("lib/same", "lib/new"),
        layers.member("lib/.wh.gone"),
        layers.member("lib/sub/inner", b"3"),
        layers.member("abs/other", b"4"),
    )
    with merged(layers, lower, upper) as root:
        assert os.readlink(root / "lib") == "usr/lib"
        assert sorted(os.listdir(root / "usr/lib")) == ["new", "old", "same", "sub"]
        assert (root / "usr/lib/new").read_bytes() == b"2" * 10_000
        assert os.stat(root / "lib/same").st_nlink == 2
        assert sorted(os.listdir(root / "usr/lib/sub")) == ["inner", "other"]
        assert stat.S_IMODE(os.stat(root / "usr").st_mode) == 0o711
        assert stat.S_IMODE(os.stat(root / "usr/lib").st_mode) == 0o750
        assert stat.S_IMODE(os.stat(root / "usr/lib/sub").st_mode) == 0o700


def test_whiteouts_reach_through_a_lower_symlink(layers: Any) -> None:
    lower = layers.archive(
        layers.directory("usr"),
        layers.member("usr/old", b"1"),
        layers.directory("usr/tree"),
        layers.symlink("lib", "usr"),
    )
    upper = layers.archive(
        layers.member("lib/.wh..wh..opq"), layers.member("lib/new", b"2"),
        layers.directory("usr"), layers.member("usr/own", b"3"),
    )  # fmt: skip
    with merged(layers, lower, upper) as root:
        assert os.readlink(root / "lib") == "usr"
        assert sorted(os.listdir(root / "usr")) == ["new", "own"]


def test_hard_links_to_files_of_lower_layers(layers: Any) -> None:
    lower = layers.archive(
        layers.directory("d", mode=0o700),
        layers.member("d/f", b"content" * 1000, mode=0o4755, uid=5),
        layers.symlink("s", "d"),
        layers.member("replaced", b"old"),
        layers.member("removed", b"old"),
    )
    upper = layers.archive(
        layers.link("hard", "s/f"),
        layers.link("again", "hard"),
        layers.link("kept", "replaced"),
        layers.member("replaced", b"new"),
        layers.link("saved", "removed"),
        layers.member(".wh.removed"),
    )
    with merged(layers, lower, upper) as root:
        found = os.stat(root / "hard")
        assert (root / "hard").read_bytes() == b"content" * 1000
        assert (found.st_nlink, found.st_uid, stat.S_IMODE(found.st_mode)) == (3, 5, 0o4755)
        assert os.stat(root / "d/f").st_ino == found.st_ino == os.stat(root / "again").st_ino
        assert stat.S_IMODE(os.stat(root / "d").st_mode) == 0o700
        assert (root / "kept").read_bytes() == b"old"
        assert (root / "replaced").read_bytes() == b"new"
        assert (root / "saved").read_bytes() == b"old"
        assert not (root / "removed").exists()


@pytest.mark.parametrize("target", ["nowhere", "d"])
def test_hard_links_to_nothing_are_refused(layers: Any, target: str) -> None:
    lower = layers.layer(layers.directory("d")).path
    result = layers.layer(layers.link("l", target))
    fix = layers.path(".fix")
    with pytest.raises(Corrupt, match="hard link"):
        complete_layer(result.path, [lower], fix, format=layers.format)
    assert not fix.exists()


def test_copies_of_lower_files_are_bounded(layers: Any) -> None:
    """A hard link takes no bytes of an archive, and its target none of the disk."""
    lower = layers.build(sparse("large", 1 << 30)).path
    result = layers.layer(layers.link("l", "large"))
    fix = layers.path(".fix")
    with pytest.raises(Corrupt, match="copies of lower files take over"):
        complete_layer(result.path, [lower], fix, format=layers.format, size_max=(1 << 30) - 1)
    assert not fix.exists()
    assert complete_layer(result.path, [lower], fix, format=layers.format)
    file = fix / "l" if layers.format is LayerFormat.DIRECTORY else fix
    assert file.stat().st_size >= 1 << 30
    assert file.stat().st_blocks * 512 <= 2 << 20


def test_an_opaque_root_hides_what_is_below(layers: Any) -> None:
    lower = layers.archive(
        layers.directory("usr"), layers.symlink("etc", "usr"), layers.directory("d", mode=0o700)
    )
    upper = layers.archive(
        layers.member(".wh..wh..opq"), layers.member("etc/x", b"1"), layers.member("d/y", b"2")
    )
    with merged(layers, lower, upper) as root:
        assert sorted(os.listdir(root)) == ["d", "etc"]
        assert (root / "etc/x").read_bytes() == b"1"
        assert not (root / "etc").is_symlink()
        assert stat.S_IMODE(os.stat(root / "d").st_mode) == 0o755


def test_a_layer_that_is_cut_short_is_an_error(layers: Any) -> None:
    """Not a signal that ends the process, as of a mapped file (mmap(2), SIGBUS)."""
    if layers.format is LayerFormat.DIRECTORY:
        pytest.skip("has no file of its own")
    lower = layers.layer(*(layers.directory(f"d{n}") for n in range(2000))).path
    result = layers.layer(layers.member("d7/new", b"1"))
    fix = layers.path(".fix")
    for size in (lower.stat().st_size - 4096, 4096, 1000, 0):
        os.truncate(lower, size)
        with pytest.raises(Corrupt):
            complete_layer(result.path, [lower], fix)
        assert not fix.exists()


PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)
TARGETS = st.sampled_from(["a", "b", "c", "a/b", "c/a", "b/c"])
ENTRIES = st.lists(
    st.one_of(
        st.tuples(st.just("file"), PATHS, st.binary(max_size=3)),
        st.tuples(st.just("dir"), PATHS, st.sampled_from([0o700, 0o711, 0o1777])),
        st.tuples(st.just("symlink"), PATHS, TARGETS),
        st.tuples(st.just("link"), PATHS, PATHS).filter(lambda each: each[1] != each[2]),
    ),
    min_size=1,
    max_size=6,
).filter(
    # what an archive first goes through and then replaces cannot be told from its image alone
    lambda entries: (
        not any(
            later[1] in ("/".join(earlier[1].split("/")[:n]) for n in range(1, 3))
            and later[1] != earlier[1]
            for index, later in enumerate(entries)
            for earlier in entries[:index]
        )
    )
)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(st.lists(ENTRIES, min_size=2, max_size=3))
def test_layers_in_a_row_equal_what_tar_unpacks(layers: Any, changes: list[Any]) -> None:
    """Directories, symlinks and hard links in any order, over each other; tar is the model."""
    unpacked = layers.path()
    unpacked.mkdir(mode=0o755)
    archives: list[bytes] = []
    for entries in changes:
        members = []
        for kind, path, value in entries:
            if kind == "file":
                members.append(layers.member(path, value))
            elif kind == "dir":
                members.append(layers.directory(path, mode=value))
            elif kind == "symlink":
                members.append(layers.symlink(path, value))
            else:
                members.append(layers.link(path, value))
        archives.append(layers.archive(*members))
        done = subprocess.run(
            ["tar", "-xp", "--delay-directory-restore", "-C", unpacked],
            input=archives[-1], capture_output=True, umask=0o022,
        )  # fmt: skip
        assume(done.returncode == 0)
    with merged(layers, *archives) as root:
        found = layers.snapshot(root, times=False, links=False)
        assert found == layers.snapshot(unpacked, times=False, links=False)
