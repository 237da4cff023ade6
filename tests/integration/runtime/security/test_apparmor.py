"""What the default AppArmor profile denies, tried by a container that has every capability.

Only where the kernel has AppArmor on: a virtual machine of Debian or Ubuntu. Every probe is one
that neither capabilities, nor seccomp, nor masked paths would hold back here.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from runtime.security.capabilities import NUMBERS
from stacker.drivers.host import apparmor
from tests.integration.runtime.conftest import Bundle, Runtime, wait_until

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not apparmor.is_enabled(), reason="AppArmor is off on this host"),
    pytest.mark.skipif(
        shutil.which("apparmor_parser", path="/usr/sbin:/sbin") is None,
        reason="needs Debian's apparmor",
    ),
]


@pytest.fixture(scope="module")
def profile() -> str:
    found = apparmor.load_profile()
    assert found.profile is not None, found.reason
    return found.profile


@pytest.fixture
def confined(bundle: Bundle, profile: str) -> Bundle:
    sets = ("bounding", "effective", "permitted")
    bundle.config["process"]["capabilities"] = {key: list(NUMBERS) for key in sets}
    bundle.config["process"]["apparmorProfile"] = profile
    for field in ("maskedPaths", "readonlyPaths"):
        bundle.config["linux"][field] = []
    for mount in bundle.config["mounts"]:
        if mount["destination"] == "/sys":
            mount["options"].remove("ro")
    return bundle


def test_the_process_is_confined(
    runtime: Runtime, confined: Bundle, identity: str, profile: str
) -> None:
    path = confined.write("/bin/sleep", "100")
    runtime.ok("run", "--detach", "--bundle", path, identity)
    pid = runtime.state(identity)["pid"]
    label = f"{profile} (enforce)"
    assert Path(f"/proc/{pid}/attr/current").read_text().strip() == label
    inside = runtime.ok("exec", identity, "cat", "/proc/self/attr/current")
    assert inside.strip() == label


@pytest.mark.parametrize(
    "probe",
    [
        "echo 1 > /proc/sys/vm/drop_caches",
        "echo x > /proc/sys/kernel/core_pattern",
        "echo h > /proc/sysrq-trigger",
        "head -c1 /proc/kcore",
        "echo 1 > /sys/kernel/mm/ksm/run",
        "ls /sys/kernel/security/apparmor",
        "mount -t tmpfs none /tmp",
        "mount -o bind /root /tmp",
        "mount -t proc proc /root",
        "kill -0 $OUTSIDE",
    ],
)
def test_denied(runtime: Runtime, confined: Bundle, identity: str, probe: str) -> None:
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    # the host's processes in sight, for the signal
    confined.config["linux"]["namespaces"] = [
        one for one in confined.config["linux"]["namespaces"] if one["type"] != "pid"
    ]
    other = subprocess.Popen(["sleep", "100"])
    try:
        script = f"OUTSIDE={other.pid}; ({probe}) 2>&1 && echo DONE"
        said = runtime.call("run", "--bundle", confined.shell(script), identity)
    finally:
        other.kill()
        other.wait()
    assert "DONE" not in said.stdout, said.stdout
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before


def test_what_a_container_does_is_allowed(
    runtime: Runtime, confined: Bundle, identity: str
) -> None:
    script = (
        "touch /tmp/file /etc/file && mkdir /data && echo 5 > /proc/self/oom_score_adj && "
        "sleep 100 & kill $! && cat /proc/self/status /proc/cpuinfo > /dev/null && "
        "ip link set lo up && cat /sys/kernel/mm/transparent_hugepage/enabled > /dev/null && "
        "echo FINE"
    )
    assert "FINE" in runtime.ok("run", "--bundle", confined.shell(script), identity)


def test_signals_of_the_host_arrive(runtime: Runtime, confined: Bundle, identity: str) -> None:
    path = confined.shell("trap 'exit 7' TERM; touch /tmp/ready; while :; do sleep 0.05; done")
    runtime.ok("run", "--detach", "--bundle", path, identity)
    pid = runtime.state(identity)["pid"]
    wait_until(lambda: (confined.rootfs / "tmp/ready").exists())
    os.kill(pid, signal.SIGTERM)
    runtime.await_status(identity, "stopped")


@pytest.mark.parametrize("family", ["AF_ALG", "AF_VSOCK"])
def test_families(family: str, profile: str) -> None:
    """What socketcall(2) hides from seccomp (R18): the profile itself holds the families back."""
    number = getattr(socket, family)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            Path("/proc/thread-self/attr/current").write_text(f"changeprofile {profile}")
            try:
                socket.socket(number, socket.SOCK_SEQPACKET if family == "AF_ALG" else 1)
                os.write(writer, b"open")
            except OSError as error:
                os.write(writer, str(error.errno).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        answer = file.read()
    os.waitpid(pid, 0)
    # a kernel without the family says so before it asks any module
    assert answer in ("13", "97", "93"), answer
