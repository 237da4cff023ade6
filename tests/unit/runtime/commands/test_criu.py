"""What CRIU is told: by name what came from outside, and each flag by its own."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from runtime.cgroups.cgroup import Cgroup
from runtime.commands import checkpoint, criu, restore
from runtime.commands.arguments import UsageError, parse
from runtime.commands.lookup import Found
from runtime.container.state import State
from runtime.errors import NotSupported, SpecInvalid
from runtime.spec.model import Linux, Mount, Namespace, Spec

FOUND = Found(
    State(
        id="x",
        pid=4,
        start_time=5,
        boot_id="b",
        bundle="/b",
        rootfs="/b/r",
        created="",
        cgroup=Cgroup(legacy={"freezer": "/cg/x"}, unified=None).to_json(),
    ),
    "running",
)
SPEC = Spec(
    version="1.2.0",
    root_path="r",
    mounts=(
        Mount(destination="/data/", type="bind", source="data"),
        Mount(destination="/etc/hosts", source="/h", options=("rbind",)),
        Mount(destination="/proc", type="proc"),
    ),
    linux=Linux(
        masked_paths=("/nosuch",),
        namespaces=(Namespace(type="network", path="/proc/self/ns/net"), Namespace(type="pid")),
    ),
)


def pairs(words: list[str], flag: str) -> list[str]:
    return [after for word, after in itertools.pairwise(words) if word == flag]


def dump(*flags: str, spec: Spec = SPEC) -> list[str]:
    arguments = parse([*flags, "x"], checkpoint.FLAGS)
    return checkpoint.build_words(arguments, FOUND, spec)


def test_a_dump() -> None:
    words = dump("--image-path", "/i", "--leave-running", "--tcp-established", "--shell-job")
    assert words[:3] == ["dump", "--tree", "4"]
    assert pairs(words, "--images-dir") == pairs(words, "--work-dir") == ["/i"]
    assert pairs(words, "--root") == ["/b/r"]
    assert pairs(words, "--freeze-cgroup") == ["/cg/x"]
    assert {"--leave-running", "--tcp-established", "--shell-job"} <= set(words)
    assert "--file-locks" not in words
    inode = Path("/proc/self/ns/net").stat().st_ino
    assert pairs(words, "--external") == [
        f"net[{inode}]:extRootNetNS", "mnt[/data]:/data", "mnt[/etc/hosts]:/etc/hosts",
    ]  # fmt: skip


def test_a_pre_dump_with_its_parent_over_the_network() -> None:
    words = dump("--pre-dump", "--parent-path", "../p", "--page-server", "::1:27", "--work-path=/w")
    assert words[0] == "pre-dump"
    assert pairs(words, "--prev-images-dir") == ["../p"]
    assert pairs(words, "--address") == ["::1"]
    assert pairs(words, "--port") == ["27"]
    assert pairs(words, "--work-dir") == ["/w"]
    assert not [word for word in words if word.startswith("mnt[")]


@pytest.mark.parametrize(
    "flags",
    [
        ("--parent-path", "/absolute"), ("--page-server", "host"), ("--page-server", "h:0"),
        ("--manage-cgroups-mode", "nosuch"), ("--empty-ns", "pid"),
    ],
)  # fmt: skip
def test_what_cannot_be(flags: tuple[str, ...]) -> None:
    with pytest.raises((UsageError, SpecInvalid)):
        dump(*flags)


def test_the_same_names_when_it_is_restored() -> None:
    words = criu.restore_mounts(SPEC, "/bundle")
    assert pairs(words, "--external") == [
        "mnt[/data]:/bundle/data", "mnt[/etc/hosts]:/h", "mnt[/dev/null]:/dev/null",
    ]  # fmt: skip
    arguments = parse(["--empty-ns", "network", "x"], restore.FLAGS)
    assert pairs(criu.common_arguments(arguments, "l"), "--empty-ns") == ["net"]


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(NotSupported, match="checkpoint needs CRIU"):
        criu.find_criu("no-such-program-here", "checkpoint")
    assert criu.find_criu("sh", "checkpoint").endswith("/sh")
