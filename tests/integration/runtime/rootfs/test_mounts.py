"""Mounts of config.json, with the calls of Linux 5.12 and with mount(2) alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.integration.runtime.conftest import Bundle
from tests.integration.runtime.rootfs.conftest import (
    LOOK,
    Inside,
    mapping,
    options_of,
)

pytestmark = pytest.mark.root


def test_attributes_of_binds_and_of_file_systems(inside: Inside, source: Path) -> None:
    """config.md, "Linux mount options"."""
    inside.add("/a", "bind", source, "rbind", "ro", "nosuid", "nodev", "noexec", "noatime")
    inside.add("/b", "bind", source, "bind", "nosymfollow", "nodiratime", "strictatime")
    inside.add("/c/file", "bind", source / "file", "bind", "ro")
    inside.add("/d", "tmpfs", "tmpfs", "ro", "noexec", "size=1m", "mode=750", "sync", "relatime")
    inside.add("/e", "bind", "source", "bind", "ro", "rw", "defaults")
    seen = options_of(inside.run(LOOK))
    assert {"ro", "nosuid", "nodev", "noexec", "noatime"} <= seen["/a"]
    assert {"rw", "nosymfollow", "nodiratime"} <= seen["/b"]
    assert not {"relatime", "noatime"} & seen["/b"]
    assert "ro" in seen["/c/file"]
    assert {"ro", "noexec", "relatime"} <= seen["/d"]
    # a relative source is the bundle's; of two words that contradict the last one counts
    assert "rw" in seen["/e"]


def test_data_reaches_the_file_system(inside: Inside) -> None:
    inside.add("/d", "tmpfs", "named", "size=64k", "nr_inodes=9", "mode=711", "uid=5", "gid=6")
    seen = inside.run("stat -c '%a %u %g' /d; grep ' /d ' /proc/self/mountinfo")
    assert seen[0] == "711 5 6"
    assert "tmpfs named rw,size=64k,nr_inodes=9,mode=711,uid=5,gid=6" in seen[1]


@pytest.mark.parametrize("option", ["nosuchoption", "size=what"])
def test_an_option_the_file_system_does_not_know_is_named(detached: Inside, option: str) -> None:
    detached.add("/d", "tmpfs", "tmpfs", option)
    assert f"mount /d: make tmpfs: option {option}" in detached.refused()


def test_the_order_is_config_jsons_and_later_ones_lie_inside(inside: Inside, source: Path) -> None:
    inside.add("/a", "tmpfs", "tmpfs")
    inside.add("/a/b/c", "bind", source, "bind")
    inside.add("/a/b/c/file", "bind", "/proc/version", "bind", "ro")
    seen = inside.run("cat /a/b/c/file; ls /a/b")
    assert seen[0].startswith("Linux version")
    assert seen[1] == "c"


def test_the_mode_of_the_directory_below_is_kept_by_a_tmpfs(inside: Inside, bundle: Bundle) -> None:
    """As in runc: an image's /tmp is 1777 under a tmpfs too."""
    (bundle.rootfs / "tmp").chmod(0o1777)
    (bundle.rootfs / "root").chmod(0o700)
    inside.add("/tmp", "tmpfs", "tmpfs")
    inside.add("/root", "tmpfs", "tmpfs", "mode=755")
    assert inside.run("stat -c %a /tmp /root") == ["1777", "755"]


def test_tmpcopyup(inside: Inside, bundle: Bundle) -> None:
    """config.md: "copy up the contents to a tmpfs"."""
    origin = bundle.rootfs / "data"
    (origin / "deep/er").mkdir(parents=True)
    (origin / "deep/er/file").write_text("x" * 3_000_000)
    os.chown(origin / "deep", 5, 6)
    (origin / "deep").chmod(0o755 | 0o2000)
    (origin / "run").write_text("")
    os.chown(origin / "run", 7, 8)
    (origin / "run").chmod(0o4755)
    (origin / "link").symlink_to("/etc/passwd")
    os.mkfifo(origin / "fifo")
    inside.add("/data", "tmpfs", "tmpfs", "tmpcopyup", "ro")
    inside.add("/absent", "tmpfs", "tmpfs", "tmpcopyup")
    seen = inside.run(
        "cd /data; cat deep/er/file | wc -c; stat -c '%a %u %g' deep run; readlink link; "
        "stat -c %F fifo; touch new 2>/dev/null || echo refused; touch /absent/new && echo made; "
        "stat -c %a .; grep -c ' /data .* tmpfs ' /proc/self/mountinfo"
    )
    assert seen == [
        "3000000", "2755 5 6", "4755 7 8", "/etc/passwd", "fifo", "refused", "made", "755", "1",
    ]  # fmt: skip
    assert (origin / "deep/er/file").stat().st_size == 3_000_000


def test_tmpcopyup_of_more_than_fits_is_an_error(inside: Inside, bundle: Bundle) -> None:
    (bundle.rootfs / "data").mkdir()
    (bundle.rootfs / "data/file").write_text("x" * 200_000)
    inside.add("/data", "tmpfs", "tmpfs", "tmpcopyup", "size=64k")
    assert "mount /data: option tmpcopyup: no space left on device" in inside.refused()


def test_remounts(inside: Inside, source: Path) -> None:
    """`remount` alone is of the file system, `bind,remount` of the mount."""
    inside.add("/a", "bind", source, "bind", "nosuid")
    inside.add("/a", "bind", "", "bind", "remount", "ro")
    inside.add("/file", "bind", source / "file", "bind")
    inside.add("/file", "", "", "bind", "remount", "ro", "noexec")
    inside.add("/d", "tmpfs", "tmpfs", "size=64k", "noexec")
    inside.add("/d", "tmpfs", "tmpfs", "remount", "size=128k", "nosuid")
    seen = inside.run(f"{LOOK}; grep ' /d ' /proc/self/mountinfo >&2; echo")
    options = options_of(seen[:-1])
    assert {"ro", "nosuid"} <= options["/a"]
    assert {"ro", "noexec"} <= options["/file"]
    assert {"noexec", "nosuid", "rw"} <= options["/d"]
    assert "size=128k" in inside.error


def test_a_remount_of_nothing_is_an_error(inside: Inside) -> None:
    inside.add("/nowhere", "tmpfs", "tmpfs", "remount", "ro")
    assert "remount /nowhere: nothing is there" in inside.refused()


def test_bind_takes_one_mount_and_rbind_the_tree(inside: Inside, tree: Path) -> None:
    inside.add("/one", "bind", tree, "bind")
    inside.add("/all", "bind", tree, "rbind")
    assert inside.run("ls /one/below; ls /all/below") == ["inner"]


def test_recursive_attributes_reach_the_whole_tree(detached: Inside, tree: Path) -> None:
    """config.md: rro and the like, "through mount_setattr"."""
    detached.add("/top", "bind", tree, "rbind", "ro", "nodev")
    detached.add("/all", "bind", tree, "rbind", "rro", "rnosuid", "rnoexec", "rnosymfollow")
    detached.add("/back", "bind", "/all", "rbind")
    detached.bundle.config["mounts"].pop()
    seen = options_of(detached.run(LOOK))
    assert {"ro", "nodev"} <= seen["/top"]
    assert {"rw"} <= seen["/top/below"]
    for place in ("/all", "/all/below"):
        assert {"ro", "nosuid", "noexec", "nosymfollow"} <= seen[place]


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [({"options": ["bind", "idmap"]}, "mounts[5].options: idmap needs uidMappings"),
     ({"options": ["bind"], "uidMappings": mapping(0, 1)}, "uidMappings and gidMappings need"),
     ({"type": "tmpfs", "uidMappings": mapping(0, 1), "gidMappings": mapping(0, 1)},
      "only a bind mount"),
     ({"options": ["bind", "tmpcopyup"]}, "tmpcopyup is for a tmpfs"),
     ({"options": ["bind", "idmap=uids=0-1-2"]}, "idmap=uids=0-1-2: use uidMappings"),
     ({"type": ""}, "mounts[5].type: missing"),
     ({"source": "nowhere", "options": ["bind"]}, "no such file or directory")],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(
    detached: Inside, bundle: Bundle, source: Path, entry: dict[str, object], complaint: str
) -> None:
    whole = {"destination": "/data", "source": str(source), "type": "bind", **entry}
    if whole["type"] == "":
        whole.pop("options", None)
    bundle.config["mounts"].append(whole)
    assert complaint in detached.refused()


def test_a_dangling_link_on_the_way_is_followed_inside(
    inside: Inside, bundle: Bundle, source: Path
) -> None:
    """/var/run of an image may point to a /run that it does not have."""
    (bundle.rootfs / "var").mkdir()
    (bundle.rootfs / "var/run").symlink_to("../run")
    (bundle.rootfs / "abs").symlink_to("/made/here")
    inside.add("/var/run/app", "bind", source, "bind")
    inside.add("/abs", "bind", source / "file", "bind")
    assert inside.run("cat /run/app/file /made/here") == ["content", "content"]


def test_an_overlay_of_many_directories(inside: Inside, tmp_path: Path) -> None:
    """Their names together are longer than fsconfig(2) takes in one value."""
    if tuple(map(int, os.uname().release.split(".")[:2])) < (6, 5):
        pytest.skip("this kernel's overlayfs takes no directory by itself (Linux 6.5)")
    layers = [tmp_path / f"{number}:{'x' * 60}" for number in range(6)]
    for number, layer in enumerate(layers):
        layer.mkdir()
        (layer / f"file{number}").write_text("x")
    lowerdir = ":".join(str(layer).replace(":", "\\:") for layer in layers)
    assert len(lowerdir) > 256
    inside.add("/d", "overlay", "overlay", f"lowerdir={lowerdir}")
    seen = inside.run("ls /d")
    assert seen == [f"file{number}" for number in range(6)]
