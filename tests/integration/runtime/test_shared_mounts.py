"""A container without a mount namespace (config-linux.md, "Namespaces": what is not listed is
inherited): its mounts are the host's, and go with it.

Ours alone: runc and crun leave them behind, which is no place for a suite to be in.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.runtime.conftest import Bundle, Runtime, host_mounts

pytestmark = pytest.mark.root
KINDS = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")


@pytest.fixture
def sharing(bundle: Bundle) -> Bundle:
    bundle.config["linux"]["namespaces"] = []
    bundle.config["linux"]["maskedPaths"] = ["/proc/version"]
    del bundle.config["hostname"]
    return bundle


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    """A mount that is shared, with another one in it."""
    outer = tmp_path / "volume"
    outer.mkdir()
    script = (
        f"mount -t tmpfs outer {outer} && mount --make-shared {outer} && "
        f"mkdir {outer}/in && mount -t tmpfs inner {outer}/in && touch {outer}/in/file"
    )
    subprocess.run(script, shell=True, check=True)
    yield outer
    subprocess.run(["umount", "-R", str(outer)], check=True)


def test_all_is_inherited_and_nothing_stays(
    runtime: Runtime, sharing: Bundle, identity: str, tmp_path: Path
) -> None:
    before = host_mounts(tmp_path)
    runtime.ok("create", "--bundle", sharing.write("/bin/sleep", "1000"), identity)
    pid = runtime.state(identity)["pid"]
    for kind in KINDS:
        assert os.readlink(f"/proc/{pid}/ns/{kind}") == os.readlink(f"/proc/self/ns/{kind}")
    assert os.readlink(f"/proc/{pid}/root") == str(sharing.rootfs)
    runtime.ok("start", identity)
    assert "MARK=here" in runtime.ok("exec", identity, "/bin/env")
    seen = runtime.ok(
        "exec", identity, "/bin/sh", "-c", "cat /proc/1/comm; ls /; wc -c /proc/version"
    )
    assert Path("/proc/1/comm").read_text() in seen
    assert "busybox" in os.listdir(sharing.rootfs / "bin")
    assert set(os.listdir(sharing.rootfs)) <= set(seen.split())
    assert "0 /proc/version" in seen
    runtime.ok("delete", "--force", identity)
    assert host_mounts(tmp_path) == before


@pytest.mark.parametrize("wrong", ["program", "mount", "hook"])
def test_nothing_stays_of_one_that_fails(
    runtime: Runtime, sharing: Bundle, identity: str, tmp_path: Path, wrong: str
) -> None:
    before = host_mounts(tmp_path)
    if wrong == "mount":
        sharing.config["mounts"].append({"destination": "/x", "type": "nosuchfs", "source": "x"})
    if wrong == "hook":
        sharing.config["hooks"] = {"createRuntime": [{"path": "/bin/false"}]}
    program = "/none" if wrong == "program" else "/bin/true"
    assert runtime.call("run", "--bundle", sharing.write(program), identity).returncode != 0
    assert host_mounts(tmp_path) == before


def test_unmounting_does_not_reach_a_shared_volume(
    runtime: Runtime, sharing: Bundle, identity: str, tmp_path: Path, volume: Path
) -> None:
    before = host_mounts(tmp_path)
    sharing.config["root"]["readonly"] = True
    sharing.config["mounts"].append(
        {"destination": "/tmp", "type": "bind", "source": str(volume), "options": ["rbind"]}
    )
    script = "ls /tmp/in; touch /tmp/in/other; touch /etc/x 2>/dev/null || echo refused"
    seen = runtime.ok("run", "--bundle", sharing.shell(script), identity)
    assert seen.split() == ["file", "refused"]
    assert (volume / "in/other").exists()
    assert host_mounts(tmp_path) == before


def test_another_mount_on_the_root_is_left_alone(
    runtime: Runtime, sharing: Bundle, identity: str
) -> None:
    """Unmounted by somebody else in the meantime: what lies there then is theirs."""
    runtime.ok("create", "--bundle", sharing.write("/bin/true"), identity)
    subprocess.run(["umount", "-R", "-l", str(sharing.rootfs)], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "theirs", str(sharing.rootfs)], check=True)
    try:
        runtime.ok("delete", "--force", identity)
        assert os.path.ismount(sharing.rootfs)
    finally:
        subprocess.run(["umount", str(sharing.rootfs)], check=True)
