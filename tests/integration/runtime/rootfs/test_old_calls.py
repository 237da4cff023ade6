"""Kernels before 5.12, and filters that know no later call: mount(2) alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.runtime.conftest import Bundle, Runtime, call_warm
from tests.integration.runtime.rootfs.conftest import (
    CALLS,
    ENOSYS,
    EPERM,
    Inside,
    mapping,
    without,
)
from tests.integration.runtime.test_terminal import Console, read_to_the_end

pytestmark = pytest.mark.root


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("error", [ENOSYS, EPERM])
def test_without_any_one_of_the_calls_all_is_made_with_the_old_one(
    runtime: Runtime, bundle: Bundle, identity: str, source: Path, name: str, error: int
) -> None:
    one = Inside(runtime, bundle, identity, without((name,), error))
    one.add("/data", "bind", source, "rbind", "ro", "nosuid", "rprivate")
    bundle.config["root"]["readonly"] = True
    seen = one.run(
        "cat /data/file; touch /new /data/new 2>/dev/null || echo refused; ls /proc/acpi"
    )
    assert seen == ["content", "refused"]


@pytest.mark.parametrize("word", ["rro", "rnosuid", "rnoatime"])
def test_recursive_attributes_without_mount_setattr_are_refused_by_name(
    classic: Inside, source: Path, word: str
) -> None:
    classic.add("/data", "bind", source, "rbind", word)
    assert f"mount /data: option {word}: the kernel has no mount_setattr" in classic.refused()


def test_ids_cannot_be_mapped_without_mount_setattr(classic: Inside, source: Path) -> None:
    classic.add(
        "/data", "bind", source, "bind", uidMappings=mapping(0, 1), gidMappings=mapping(0, 1)
    )
    assert "mount /data: option idmap: the kernel has no mount_setattr" in classic.refused()


def test_devices_masks_and_read_only_paths(classic: Inside, bundle: Bundle) -> None:
    bundle.config["linux"]["readonlyPaths"] = ["/proc/sys", "/proc/bus"]
    bundle.config["linux"]["maskedPaths"] = ["/proc/keys", "/proc/scsi", "/sys/kernel", "/sys/fs"]
    seen = classic.run(
        "ls /sys/kernel | wc -l; ls /sys/fs | wc -l; cat /proc/keys | wc -c; "
        "echo x > /dev/null && echo ok; touch /sys/fs/x 2>/dev/null || echo refused; "
        "echo 1 > /proc/sys/kernel/pid_max 2>/dev/null || echo refused"
    )
    assert seen == ["0", "0", "0", "ok", "refused", "refused"]


def test_nothing_of_the_preparation_is_in_the_container(classic: Inside, bundle: Bundle) -> None:
    """The tmpfs that mounts were prepared in went with the host's tree."""
    seen = classic.run("cut -d' ' -f5 /proc/self/mountinfo; ls -a /")
    assert not any(line.startswith(("/1", "/2")) or line in ("1", "2") for line in seen)
    assert str(bundle.path) not in Path("/proc/self/mountinfo").read_text()


def test_a_terminal(runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path) -> None:
    console = Console(tmp_path / "console.sock")
    path = bundle.shell("tty; stat -c %F /dev/console", terminal=True)
    arguments = ("--root", str(runtime.root), "create", "--console-socket", console.path)
    before = without(CALLS, ENOSYS)
    assert call_warm(*arguments, "--bundle", path, identity, before=before) == 0
    master = console.master()
    runtime.ok("start", identity)
    lines = read_to_the_end(master).split("\n")
    assert lines[:2] == ["/dev/pts/0", "character special file"]
