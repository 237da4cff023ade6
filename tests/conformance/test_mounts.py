"""`mounts`: kinds, options, order, propagation, and the paths that are covered afterwards."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conformance.conftest import Case

pytestmark = pytest.mark.root
EROFS, ENOENT, EACCES, EPERM = 30, 2, 13, 1
TMPFS, PROC = 0x01021994, 0x9FA0
FLAGS = {"ro": 1, "nosuid": 2, "nodev": 4, "noexec": 8, "noatime": 1024, "nodiratime": 2048}

_CRUN_LATER = pytest.mark.differs(
    crun="1.8 makes every mount private again when it has entered the root"
)


def options_of(mountinfo: str, destination: str) -> set[str]:
    """The options of a mount point, per mount and of its file system, propagation included."""
    for line in reversed(mountinfo.splitlines()):
        fields = line.split()
        if fields[4] == destination:
            split = fields.index("-")
            return {*fields[5].split(","), *fields[6:split], *fields[split + 3].split(",")}
    raise AssertionError(f"{destination} is not mounted:\n{mountinfo}")


def mounted(case: Case, destination: str) -> set[str]:
    return options_of(case.one("read /proc/self/mountinfo"), destination)


def volume(case: Case, *, content: str = "of the host") -> Path:
    folder = case.bundle / "volume"
    folder.mkdir()
    (folder / "file").write_text(content)
    return folder


def test_mounts_are_made_in_order(case: Case) -> None:
    """config.md, "Mounts": the runtime MUST mount entries in the listed order."""
    case.mount("/data", type="tmpfs", source="tmpfs")
    case.mount("/data", type="bind", source=str(volume(case)), options=["bind"])
    assert case.one("list /data") == ["file"]
    case.config["mounts"][-2:] = reversed(case.config["mounts"][-2:])
    assert case.one("list /data") == []


def test_a_mount_inside_a_mount(case: Case) -> None:
    """config.md, "Mounts": a later destination may lie in an earlier mount."""
    case.mount("/data", type="tmpfs", source="tmpfs")
    case.mount("/data/deep/down", type="tmpfs", source="tmpfs", options=["ro"])
    seen = case.see("create /data/x y", "create /data/deep/down/x y")
    assert seen["create /data/x y"] == 1
    assert seen["create /data/deep/down/x y"] == {"errno": EROFS}


@pytest.mark.parametrize("option", FLAGS)
def test_attributes(case: Case, option: str) -> None:
    """config.md, "Linux mount options": each option sets its flag of the mount."""
    case.mount("/data", type="tmpfs", source="tmpfs", options=[option])
    assert case.one("statfs /data")["flags"] & FLAGS[option]


@pytest.mark.parametrize("option", FLAGS)
def test_attributes_of_a_bind(case: Case, option: str) -> None:
    """config.md, "Linux mount options": of a bind mount too, whose file system is shared."""
    source = str(volume(case))
    case.mount("/data", type="bind", source=source, options=["bind", option])
    seen = case.see("statfs /data", "read /data/file")
    assert seen["statfs /data"]["flags"] & FLAGS[option]
    assert seen["read /data/file"] == "of the host"


@pytest.mark.differs(crun="1.8 keeps ro where rw follows it")
def test_the_last_of_two_words_counts(case: Case) -> None:
    """config.md, "Linux mount options": as mount(8) reads them, left to right."""
    case.mount("/data", type="tmpfs", source="tmpfs", options=["ro", "rw", "rw", "nodev", "dev"])
    seen = case.see("statfs /data", "create /data/x y")
    assert seen["create /data/x y"] == 1
    assert not seen["statfs /data"]["flags"] & FLAGS["nodev"]


@pytest.mark.differs(runc="gives a tmpfs the mode of the mount point that it covers")
def test_data_options(case: Case) -> None:
    """config.md, "Linux mount options": what is no flag goes to the file system."""
    options = ["size=1m", "mode=1770", "uid=7", "gid=8"]
    case.mount("/data", type="tmpfs", source="tmpfs", options=options)
    seen = case.see("statfs /data", "stat /data")
    assert seen["statfs /data"]["type"] == TMPFS
    assert seen["statfs /data"]["size"] == 1 << 20
    status = seen["stat /data"]
    assert (status["mode"], status["uid"], status["gid"]) == (0o1770, 7, 8)


def test_an_unknown_data_option_is_refused(case: Case) -> None:
    """config.md, "Mounts": what the file system does not take MUST be an error."""
    case.mount("/data", type="tmpfs", source="tmpfs", options=["nosuch=1"])
    case.refused()


def test_an_unknown_file_system_is_refused(case: Case) -> None:
    """config.md, "Mounts": a type that the kernel does not have is an error."""
    case.mount("/data", type="nosuchfs", source="x")
    case.refused()


def test_a_bind_of_a_folder(case: Case) -> None:
    """config.md, "Mounts": with `bind`, source is a path of the host, and both see the same."""
    folder = volume(case)
    case.mount("/data", type="none", source=str(folder), options=["bind"])
    seen = case.see("read /data/file", "create /data/new x")
    assert seen["read /data/file"] == "of the host"
    assert (folder / "new").read_text() == "x"


def test_a_bind_of_a_file(case: Case) -> None:
    """config.md, "Mounts": the source of a bind may be a file."""
    file = volume(case) / "file"
    case.mount("/etc/bound", type="bind", source=str(file), options=["bind", "ro"])
    seen = case.see("read /etc/bound", "write /etc/bound x")
    assert seen["read /etc/bound"] == "of the host"
    assert seen["write /etc/bound x"] == {"errno": EROFS}


def test_a_relative_source(case: Case) -> None:
    """config.md, "Mounts": a relative source of a bind is relative to the bundle."""
    volume(case)
    case.mount("/data", type="bind", source="volume", options=["bind"])
    assert case.one("list /data") == ["file"]


def test_a_source_that_is_not_there_is_refused(case: Case) -> None:
    """config.md, "Mounts": a bind of nothing is an error, and makes nothing on the host."""
    source = case.bundle / "nosuch"
    case.mount("/data", type="bind", source=str(source), options=["bind"])
    case.refused()
    assert not source.exists()


def test_missing_mount_points_are_made(case: Case) -> None:
    """config.md, "Mounts": a destination that is not there is made inside the root."""
    file = volume(case) / "file"
    case.mount("/new/folder", type="tmpfs", source="tmpfs")
    case.mount("/new/file", type="bind", source=str(file), options=["bind"])
    seen = case.see("statfs /new/folder", "read /new/file")
    assert seen["statfs /new/folder"]["type"] == TMPFS
    assert seen["read /new/file"] == "of the host"


def test_bind_and_rbind(case: Case) -> None:
    """config.md, "Linux mount options": only `rbind` brings what is mounted below the source."""
    for option, below in (("bind", None), ("rbind", PROC)):
        case.config["mounts"][2:] = []
        case.mount("/data", type="bind", source="/", options=[option, "ro"])
        seen = case.one("statfs /data/proc")
        assert (seen["type"] == PROC) == (below is not None), option


@pytest.mark.parametrize(
    "option",
    [
        "rro",
        "rnosuid",
        "rnodev",
        "rnoexec",
        pytest.param("rnoatime", marks=pytest.mark.differs(crun="1.8 fails at rnoatime")),
    ],
)
def test_recursive_attributes(case: Case, option: str) -> None:
    """config.md, "Linux mount options": r-words hold for the whole tree (mount_setattr)."""
    case.mount("/data", type="bind", source="/proc/..", options=["rbind", option])
    assert option.removeprefix("r") in mounted(case, "/data/proc")


@pytest.mark.parametrize(
    ("option", "shown"),
    [
        ("private", ""),
        ("rprivate", ""),
        ("slave", ""),
        pytest.param("shared", "shared", marks=_CRUN_LATER),
        pytest.param("rshared", "shared", marks=_CRUN_LATER),
        pytest.param("unbindable", "unbindable", marks=_CRUN_LATER),
        pytest.param("runbindable", "unbindable", marks=_CRUN_LATER),
    ],
)
def test_propagation(case: Case, option: str, shown: str) -> None:
    """config.md, "Linux mount options": propagation words set the propagation of the mount."""
    case.mount("/data", type="tmpfs", source="tmpfs", options=[option])
    kinds = {word.partition(":")[0] for word in mounted(case, "/data")}
    assert kinds & {"shared", "unbindable"} == ({shown} if shown else set())


@pytest.mark.parametrize("propagation", ["private", "slave", "rprivate", "rslave", "", "shared"])
def test_mounts_do_not_reach_the_host(case: Case, propagation: str) -> None:
    """config-linux.md, "Rootfs Mount Propagation": what is mounted inside stays inside."""
    case.linux["rootfsPropagation"] = propagation
    case.mount("/data", type="tmpfs", source="tmpfs")
    case.start_waiting()
    assert str(case.rootfs) not in Path("/proc/self/mountinfo").read_text()


@pytest.mark.differs(runc="1.1 leaves an unbindable root private")
def test_root_propagation(case: Case) -> None:
    """config-linux.md, "Rootfs Mount Propagation": `shared` and `unbindable` are the root's."""
    for word in ("shared", "unbindable"):
        case.linux["rootfsPropagation"] = word
        assert any(option.startswith(word) for option in mounted(case, "/"))


@pytest.mark.differs(crun="1.8 ignores a propagation that it does not know")
def test_an_unknown_root_propagation_is_refused(case: Case) -> None:
    """config-linux.md, "Rootfs Mount Propagation": one of the listed words."""
    case.linux["rootfsPropagation"] = "nosuch"
    case.refused()


def test_masked_paths(case: Case) -> None:
    """config-linux.md, "Masked Paths": cannot be read; absent ones are no error."""
    (case.rootfs / "etc/secret").write_text("secret")
    (case.rootfs / "data/secret").mkdir()
    (case.rootfs / "data/secret/file").write_text("secret")
    case.linux["maskedPaths"] = ["/etc/secret", "/data/secret", "/proc/version", "/nosuch/at/all"]
    seen = case.see("read /etc/secret", "list /data/secret", "read /proc/version")
    assert seen["read /etc/secret"] == ""
    assert seen["list /data/secret"] == []
    assert seen["read /proc/version"] == ""


def test_readonly_paths(case: Case) -> None:
    """config-linux.md, "Readonly Paths": cannot be written; absent ones are no error."""
    (case.rootfs / "etc/file").write_text("x")
    case.linux["readonlyPaths"] = ["/etc", "/proc/sys", "/nosuch/at/all"]
    seen = case.see("write /etc/file y", "write /proc/sys/kernel/hostname y", "create /data/x y")
    assert seen["write /etc/file y"] == {"errno": EROFS}
    assert seen["write /proc/sys/kernel/hostname y"] == {"errno": EROFS}
    assert seen["create /data/x y"] == 1


def test_no_mount_of_the_host_is_left(case: Case) -> None:
    """config.md, "Mounts": the container sees its root and the listed mounts, nothing else."""
    lines = case.one("read /proc/self/mountinfo").splitlines()
    points = {line.split()[4] for line in lines}
    assert {point for point in points if not point.startswith("/dev/")} == {"/", "/proc", "/dev"}


@pytest.mark.differs(crun="1.8 fails at a mount on the root")
def test_a_mount_on_the_root(case: Case, tmp_path: Path) -> None:
    """config.md, "Mounts": the destination is any path inside, and / is one."""
    other = tmp_path / "other"
    shutil.copytree(case.rootfs, other)
    (other / "etc/mark").write_text("of the other")
    entry = {"destination": "/", "type": "bind", "source": str(other), "options": ["bind"]}
    case.config["mounts"].insert(0, entry)
    assert case.one("read /etc/mark") == "of the other"
