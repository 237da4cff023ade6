"""E5: configurations that try to redirect what the runtime writes to procfs and sysfs.

They are refused, or what was asked for is really set: read back through the host's procfs. And R14,
R17: what a container and the host's users must not be able to write, or see.
"""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.integration.runtime.conftest import Bundle, Config, Runtime
from tests.integration.runtime.hostile.conftest import Caller, Witness

pytestmark = pytest.mark.root

SYSCTL = "net/ipv4/ip_unprivileged_port_start"
DECOYS = (f"sys/{SYSCTL}", "sys/kernel/shmmax", "self/oom_score_adj", "self/attr/exec",
          "thread-self/attr/exec", "sysrq-trigger")  # fmt: skip


def bind(source: object, destination: str) -> Config:
    return {"destination": destination, "type": "bind", "source": str(source), "options": ["rbind"]}


def tmpfs(destination: str) -> Config:
    return {"destination": destination, "type": "tmpfs", "source": "tmpfs"}


def redirections(decoy: Path) -> dict[str, list[Config]]:
    return {
        "a volume over /proc": [bind(decoy, "/proc")],
        "a tmpfs over /proc": [tmpfs("/proc")],
        "a volume over /proc/sys": [bind(decoy / "sys", "/proc/sys")],
        "a tmpfs over /proc/sys": [tmpfs("/proc/sys")],
        "a tmpfs over /proc/sys/net": [tmpfs("/proc/sys/net")],
        "a file over the sysctl": [bind(decoy / f"sys/{SYSCTL}", f"/proc/sys/{SYSCTL}")],
        "another procfs file over the sysctl": [
            bind("/proc/sys/kernel/core_pattern", f"/proc/sys/{SYSCTL}")
        ],
        "sysrq-trigger over the sysctl": [bind("/proc/sysrq-trigger", f"/proc/sys/{SYSCTL}")],
        "a volume over /proc/self": [bind(decoy / "self", "/proc/self")],
        "a file over oom_score_adj": [bind(decoy / "sysrq-trigger", "/proc/self/oom_score_adj")],
        "a volume over /proc/1": [bind(decoy / "self", "/proc/1")],
        "a second procfs": [{"destination": "/proc", "type": "proc", "source": "proc"}],
        "a tmpfs over /sys": [tmpfs("/sys")],
        "a volume over /sys/fs": [bind(decoy, "/sys/fs")],
    }


@pytest.fixture
def decoy(bundle: Bundle) -> Path:
    top = bundle.path / "decoy"
    for name in DECOYS:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text("decoy")
    return top


NAMES = tuple(redirections(Path("/")))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("first", [True, False])
def test_what_is_written_to_procfs_lands_there(
    runtime: Runtime,
    bundle: Bundle,
    identity: str,
    decoy: Path,
    witness: Witness,
    name: str,
    first: bool,
) -> None:
    """E5, R6: CVE-2019-16884, CVE-2019-19921, CVE-2023-28642, CVE-2025-52881, CVE-2025-62596."""
    extra = redirections(decoy)[name]
    mounts = bundle.config["mounts"]
    bundle.config["mounts"] = [*extra, *mounts] if first else [*mounts, *extra]
    bundle.config["linux"]["sysctl"] = {SYSCTL: "77", "kernel.shmmax": "12345"}
    bundle.config["linux"]["readonlyPaths"] = []
    path = bundle.write("/bin/sleep", "100", oomScoreAdj=321)
    done = runtime.call("run", "--detach", "--bundle", path, identity)
    assert witness.happened() == []
    for file in DECOYS:
        assert (decoy / file).read_text() == "decoy"
    if done.returncode != 0:
        assert len(done.stderr.splitlines()) == 1
        return
    pid = runtime.state(identity)["pid"]
    assert Path(f"/proc/{pid}/oom_score_adj").read_text().strip() == "321"
    seen = subprocess.run(
        ["nsenter", "-t", str(pid), "-n", "-i", "cat", f"/proc/sys/{SYSCTL}",
         "/proc/sys/kernel/shmmax"],
        capture_output=True, text=True, check=True, timeout=20,
    )  # fmt: skip
    assert seen.stdout.split() == ["77", "12345"]


@pytest.mark.parametrize("place", ["proc", "sys"])
@pytest.mark.parametrize("target", ["/tmp", "/dev/shm", "../tmp", "/"])
def test_proc_and_sys_are_no_links(
    call: Caller, bundle: Bundle, identity: str, witness: Witness, place: str, target: str
) -> None:
    """E5, R6 (CVE-2019-19921, CVE-2023-27561): masks would cover another place than /proc."""
    (bundle.rootfs / place).rmdir()
    (bundle.rootfs / place).symlink_to(target)
    code, told = call("run", "--bundle", bundle.write("/bin/true"), identity)
    assert code != 0
    assert f"open /{place} in the root: not a directory" in told or f"mount /{place}" in told
    assert witness.happened() == []


@pytest.mark.parametrize("private", [True, False])
@pytest.mark.parametrize("admin", [True, False])
def test_no_cgroup_file_can_be_written_from_inside(
    runtime: Runtime, bundle: Bundle, identity: str, private: bool, admin: bool
) -> None:
    """R14 (CVE-2022-0492, CVE-2023-25809): a read-only /sys/fs/cgroup in both namespaces."""
    if not private:
        bundle.config["linux"]["namespaces"] = [
            one for one in bundle.config["linux"]["namespaces"] if one["type"] != "cgroup"
        ]
    if admin:
        granted = ["CAP_DAC_OVERRIDE"]
        sets = ("bounding", "effective", "permitted")
        bundle.config["process"]["capabilities"] = dict.fromkeys(sets, granted)
    bundle.config["mounts"].append(
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
         "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}
    )  # fmt: skip
    agents = {path: path.read_text() for path in Path("/sys/fs/cgroup").glob("*/release_agent")}
    script = (
        "n=0; for f in $(/bin/busybox find /sys/fs/cgroup -type f); do n=$((n+1)); "
        "(echo 1 > $f) 2>/dev/null && echo written $f; done; echo $n; "
        "for d in $(/bin/busybox find /sys/fs/cgroup -type d); do "
        "mkdir $d/made 2>/dev/null && echo made $d; done; "
        "grep ' /sys/fs/cgroup' /proc/self/mountinfo | cut -d' ' -f6"
    )
    seen = runtime.ok("run", "--bundle", bundle.shell(script), identity).splitlines()
    count, *options = seen
    assert int(count) > 10
    assert options
    assert all(words.startswith("ro,") for words in options)
    assert {path: path.read_text() for path in agents} == agents


def test_nobody_else_can_look_into_the_runtimes_directory(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    """R17 (CVE-2024-25621, CVE-2021-41091): 0700 whatever the caller's umask is."""
    before = os.umask(0)
    try:
        runtime.ok("create", "--bundle", bundle.write("/bin/true"), identity)
    finally:
        os.umask(before)
    assert stat.S_IMODE(runtime.root.stat().st_mode) == 0o700
    for path in runtime.root.rglob("*"):
        status = path.lstat()
        assert status.st_mode & 0o077 == 0 or stat.S_ISSOCK(status.st_mode), path
        assert status.st_uid == os.getuid()
    for parent in runtime.root.parents:
        if str(parent).startswith("/tmp/"):
            parent.chmod(stat.S_IMODE(parent.stat().st_mode) | 0o011)
    refused = subprocess.run(
        ["setpriv", "--reuid", "65534", "--clear-groups", "ls", str(runtime.root / identity)],
        capture_output=True, text=True, check=False, timeout=20,
    )  # fmt: skip
    assert refused.returncode != 0
    assert "Permission denied" in refused.stderr
