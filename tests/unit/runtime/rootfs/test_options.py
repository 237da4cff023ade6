"""Mount options to flags: the table, the order, and what is handed to the file system."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.linux.mount import (
    MOUNT_ATTR__ATIME,
    MOUNT_ATTR_NOATIME,
    MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NOSUID,
    MOUNT_ATTR_RDONLY,
    MS_PRIVATE,
    MS_SHARED,
)
from runtime.rootfs.options import ATTRIBUTES, parse_options


def test_attributes_data_and_kinds_are_told_apart() -> None:
    options = parse_options(
        ("rbind", "ro", "nosuid", "rprivate", "shared", "size=5m", "sync", "defaults", "noatime")
    )
    assert options.bind
    assert options.recursive
    assert options.set == MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOATIME
    assert options.clear == MOUNT_ATTR__ATIME
    assert options.propagation == ((MS_PRIVATE, True), (MS_SHARED, False))
    assert (options.data, options.super_flags) == (("size=5m",), ("sync",))


def test_recursive_attributes_are_apart_from_those_of_the_top() -> None:
    options = parse_options(("rro", "nodev", "rnosuid"))
    assert options.set == MOUNT_ATTR_NODEV
    assert options.set_recursive == MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID


@pytest.mark.parametrize("word", ["idmap=uids=0-1-2", "ridmap=uids=0-1-2"])
def test_what_is_not_done_is_named(word: str) -> None:
    assert parse_options(("ro", word)).unsupported == word


# config.md, "Linux mount options" (specification 1.2 and 1.3)
KNOWN = (
    "async", "atime", "bind", "defaults", "dev", "diratime", "dirsync", "exec", "iversion",
    "lazytime", "loud", "noatime", "nodev", "nodiratime", "noexec", "noiversion", "nolazytime",
    "norelatime", "nostrictatime", "nosuid", "nosymfollow", "private", "ratime", "rbind", "rdev",
    "rdiratime", "relatime", "remount", "rexec", "rnoatime", "rnodev", "rnodiratime", "rnoexec",
    "rnorelatime", "rnostrictatime", "rnosuid", "rnosymfollow", "ro", "rprivate", "rrelatime",
    "rro", "rrw", "rshared", "rslave", "rstrictatime", "rsuid", "rsymfollow", "runbindable", "rw",
    "shared", "silent", "slave", "strictatime", "suid", "symfollow", "sync", "tmpcopyup",
    "unbindable", "idmap", "ridmap",
)  # fmt: skip


@pytest.mark.parametrize("word", KNOWN)
def test_no_word_of_the_specification_is_taken_for_the_file_systems_own(word: str) -> None:
    options = parse_options((word,))
    assert options.data == ()
    assert options.unsupported == ""


def test_the_specifications_own_words() -> None:
    options = parse_options(("ridmap", "tmpcopyup", "nodev", "rnosymfollow", "rro"))
    assert (options.idmap, options.copy_up) == ("ridmap", True)
    assert options.recursive_word == "rnosymfollow"


@given(st.lists(st.sampled_from(["ro", "rw"]), min_size=1))
def test_of_a_contradiction_the_last_word_counts(words: list[str]) -> None:
    options = parse_options(tuple(words))
    assert bool(options.set & MOUNT_ATTR_RDONLY) == (words[-1] == "ro")
    assert bool(options.clear & MOUNT_ATTR_RDONLY) == (words[-1] == "rw")


@given(st.lists(st.sampled_from(sorted(ATTRIBUTES))))
def test_nothing_is_both_set_and_cleared_but_the_access_time(words: list[str]) -> None:
    options = parse_options(tuple(words))
    assert not options.set & options.clear & ~MOUNT_ATTR__ATIME
