"""What the container's process sees of config.json: the same on all three runtimes."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from pathlib import Path

import pytest

from runtime.linux.mount import mount
from runtime.linux.namespaces import (
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    setns,
    unshare,
)
from tests.integration.runtime.conftest import Bundle, Runtime, wait_until

pytestmark = pytest.mark.root


def run_shell(
    runtime: Runtime, bundle: Bundle, identity: str, script: str, **process: object
) -> str:
    return runtime.ok("run", "--bundle", bundle.shell(script, **process), identity)


def test_every_namespace_is_its_own(any_runtime: Runtime, bundle: Bundle, identity: str) -> None:
    kinds = ("pid", "net", "ipc", "uts", "mnt", "cgroup")
    script = "; ".join(f"readlink /proc/self/ns/{kind}" for kind in kinds)
    inside = run_shell(any_runtime, bundle, identity, script).split()
    outside = [os.readlink(f"/proc/self/ns/{kind}") for kind in kinds]
    assert len(inside) == len(kinds)
    assert not set(inside) & set(outside)


def test_the_process_is_first_and_named(
    any_runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    seen = run_shell(any_runtime, bundle, identity, "echo $$; hostname; cat /proc/1/comm; pwd")
    assert seen.split() == ["1", "inside", "sh", "/"]


def test_default_devices_and_links(any_runtime: Runtime, bundle: Bundle, identity: str) -> None:
    names = ("null", "zero", "full", "random", "urandom", "tty")
    script = "; ".join(f"stat -c '%F %t:%T %a' /dev/{name}" for name in names)
    seen = run_shell(any_runtime, bundle, identity, script).splitlines()
    expected = ("1:3", "1:5", "1:7", "1:8", "1:9", "5:0")
    assert seen == [f"character special file {number} 666" for number in expected]
    script = "for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done; echo x > /dev/null"
    seen = run_shell(any_runtime, bundle, identity, script)
    assert seen.split() == [
        "/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2", "pts/ptmx",
    ]  # fmt: skip


def test_listed_devices(any_runtime: Runtime, bundle: Bundle, identity: str) -> None:
    bundle.config["linux"]["devices"] = [
        {"path": "/dev/own", "type": "c", "major": 1, "minor": 3, "fileMode": 0o640, "uid": 5,
         "gid": 6},
        {"path": "/dev/pipe", "type": "p", "fileMode": 0o600},
    ]  # fmt: skip
    seen = run_shell(
        any_runtime, bundle, identity, "stat -c '%t:%T %a %u %g' /dev/own; stat -c %F /dev/pipe"
    )
    assert seen.splitlines() == ["1:3 640 5 6", "fifo"]


def test_masked_and_read_only_paths(any_runtime: Runtime, bundle: Bundle, identity: str) -> None:
    script = (
        "ls /sys/firmware | wc -l; cat /proc/keys | wc -c; head -c 1 /proc/kcore | wc -c; "
        "echo 1 > /proc/sys/kernel/pid_max || echo refused"
    )
    seen = run_shell(any_runtime, bundle, identity, f"exec 2>/dev/null; {script}")
    assert seen.split() == ["0", "0", "0", "refused"]


def test_user_groups_and_umask(any_runtime: Runtime, bundle: Bundle, identity: str) -> None:
    user = {"uid": 12, "gid": 34, "additionalGids": [56, 78], "umask": 0o027}
    script = "id -u; id -g; id -G; umask; grep Cap /proc/self/status"
    seen = run_shell(any_runtime, bundle, identity, script, user=user).split()
    assert seen[:6] == ["12", "34", "34", "56", "78", "0027"]
    capabilities = dict(zip(seen[6::2], seen[7::2], strict=True))
    # a user that is not root has none over execve; none is inheritable (CVE-2022-29162)
    for kind in ("CapInh:", "CapPrm:", "CapEff:", "CapAmb:"):
        assert int(capabilities[kind], 16) == 0


def test_capabilities_and_no_new_privileges(
    any_runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    script = "grep -E 'Cap|NoNewPrivs' /proc/self/status"
    words = run_shell(any_runtime, bundle, identity, script).split()
    seen = dict(zip(words[::2], words[1::2], strict=True))
    # CHOWN 0, KILL 5, SETGID 6, SETUID 7
    granted = 1 << 0 | 1 << 5 | 1 << 6 | 1 << 7
    assert {
        kind: int(seen[kind], 16) for kind in ("CapPrm:", "CapEff:", "CapBnd:")
    } == dict.fromkeys(("CapPrm:", "CapEff:", "CapBnd:"), granted)
    assert (int(seen["CapInh:"], 16), int(seen["CapAmb:"], 16)) == (0, 0)
    assert seen["NoNewPrivs:"] == "1"


def test_ambient_capabilities_reach_a_user(
    any_runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    sets = ("bounding", "effective", "permitted", "inheritable", "ambient")
    bundle.config["process"]["capabilities"] = {one: ["CAP_KILL"] for one in sets}
    seen = run_shell(
        any_runtime, bundle, identity, "grep CapEff /proc/self/status", user={"uid": 9, "gid": 9}
    )
    assert int(seen.split()[1], 16) == 1 << 5


def test_rlimits_and_oom_score(any_runtime: Runtime, bundle: Bundle, identity: str) -> None:
    seen = run_shell(
        any_runtime, bundle, identity,
        "ulimit -n; ulimit -Hn; ulimit -c; cat /proc/self/oom_score_adj",
        rlimits=[{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200},
                 {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}],
        oomScoreAdj=123,
    )  # fmt: skip
    assert seen.split() == ["100", "200", "0", "123"]


def test_sysctls(any_runtime: Runtime, bundle: Bundle, identity: str) -> None:
    bundle.config["linux"]["sysctl"] = {
        "net.ipv4.ip_unprivileged_port_start": "77",
        "kernel.shmmax": "12345",
    }
    script = "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shmmax"
    assert run_shell(any_runtime, bundle, identity, script).split() == ["77", "12345"]


@pytest.mark.parametrize("name", ["kernel.panic", "vm.swappiness", "kernel.hostname.x"])
def test_a_sysctl_of_the_host_is_refused(
    any_runtime: Runtime, bundle: Bundle, identity: str, name: str
) -> None:
    bundle.config["linux"]["sysctl"] = {name: "1"}
    assert any_runtime.call("run", "--bundle", bundle.write(), identity).returncode != 0


def test_mounts_and_their_options(any_runtime: Runtime, bundle: Bundle, identity: str) -> None:
    source = bundle.path / "source"
    source.mkdir()
    (source / "file").write_text("content")
    bundle.config["mounts"] += [
        {"destination": "/data/deep", "type": "bind", "source": str(source),
         "options": ["rbind", "ro", "nosuid", "nodev", "rprivate"]},
        {"destination": "/one-file", "type": "bind", "source": str(source / "file"),
         "options": ["bind"]},
        {"destination": "/scratch", "type": "tmpfs", "source": "tmpfs",
         "options": ["nosuid", "nodev", "noexec", "size=1m", "mode=1777"]},
    ]  # fmt: skip
    script = (
        "cat /data/deep/file /one-file; echo; stat -c %a /scratch; touch /scratch/new; "
        "touch /data/deep/new 2>/dev/null || echo refused; "
        "grep -E ' /(data/deep|scratch) ' /proc/self/mountinfo | cut -d' ' -f5,6"
    )
    seen = run_shell(any_runtime, bundle, identity, script).splitlines()
    assert seen[:3] == ["contentcontent", "1777", "refused"]
    options = {line.split()[0]: set(line.split()[1].split(",")) for line in seen[3:]}
    assert {"ro", "nosuid", "nodev"} <= options["/data/deep"]
    assert {"rw", "nosuid", "nodev", "noexec"} <= options["/scratch"]
    assert not (source / "new").exists()


def test_a_read_only_root(any_runtime: Runtime, bundle: Bundle, identity: str) -> None:
    bundle.config["root"]["readonly"] = True
    script = "touch /new 2>/dev/null || echo refused; touch /dev/shm/new && echo writable"
    assert run_shell(any_runtime, bundle, identity, script).split() == ["refused", "writable"]


def test_namespaces_joined_by_path(any_runtime: Runtime, bundle: Bundle, identity: str) -> None:
    holder = subprocess.Popen(["unshare", "-n", "-u", "sleep", "100"])
    try:
        ours = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{holder.pid}/ns/uts") == os.readlink("/proc/self/ns/uts"):
            os.sched_yield()
        paths = {"network": f"/proc/{holder.pid}/ns/net", "uts": f"/proc/{holder.pid}/ns/uts"}
        for namespace in bundle.config["linux"]["namespaces"]:
            if namespace["type"] in paths:
                namespace["path"] = paths[namespace["type"]]
        theirs = os.readlink(paths["network"])
        assert theirs != ours
        seen = run_shell(any_runtime, bundle, identity, "readlink /proc/self/ns/net")
        assert seen.strip() == theirs
    finally:
        holder.kill()
        holder.wait()


def test_a_namespace_of_another_type_is_refused(
    any_runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    for namespace in bundle.config["linux"]["namespaces"]:
        if namespace["type"] == "network":
            namespace["path"] = "/proc/self/ns/ipc"
    assert any_runtime.call("run", "--bundle", bundle.write(), identity).returncode != 0


def test_shared_pid_namespace(any_runtime: Runtime, bundle: Bundle, identity: str) -> None:
    bundle.config["linux"]["namespaces"] = [
        one for one in bundle.config["linux"]["namespaces"] if one["type"] != "pid"
    ]
    ours = os.readlink("/proc/self/ns/pid")
    assert run_shell(any_runtime, bundle, identity, "readlink /proc/self/ns/pid").strip() == ours


def test_preserved_descriptors_and_no_others(
    any_runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    kept, other = os.memfd_create("kept"), os.memfd_create("other")
    os.write(kept, b"kept")
    path = bundle.shell("cat <&3; echo; ls /proc/self/fd")
    try:
        done = subprocess.run(
            ["sh", "-c", f'exec 3</proc/self/fd/{kept} "$@"', "sh",
             *any_runtime.argv("run", "--preserve-fds", "1", "--bundle", path, identity)],
            pass_fds=(kept, other), capture_output=True, text=True, timeout=20, check=True,
        )  # fmt: skip
    finally:
        os.close(kept)
        os.close(other)
    content, *seen = done.stdout.split()
    # 4 is the directory that ls itself has open
    assert (content, seen) == ("kept", ["0", "1", "2", "3", "4"])


def test_a_new_user_namespace(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    bundle.config["linux"]["namespaces"].append({"type": "user"})
    for kind in ("uidMappings", "gidMappings"):
        bundle.config["linux"][kind] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    for directory, names, files in os.walk(bundle.path):
        for name in (*names, *files, "."):
            os.chown(os.path.join(directory, name), 100000, 100000, follow_symlinks=False)
    for parent in bundle.path.parents:
        if str(parent).startswith("/tmp/"):
            os.chmod(parent, os.stat(parent).st_mode | 0o011)
    script = "id -u; cat /proc/self/uid_map; echo x > /dev/null && echo ok; exec sleep 100"
    with (bundle.path / "said").open("w+") as said:
        subprocess.run(
            runtime.argv("run", "--detach", "--bundle", bundle.shell(script), identity),
            stdout=said, check=True, timeout=20,
        )  # fmt: skip
        wait_until(lambda: "ok" in (bundle.path / "said").read_text())
    seen = (bundle.path / "said").read_text().split()
    assert seen == ["0", "0", "100000", "65536", "ok"]
    inside = runtime.ok("exec", identity, "sh", "-c", "id -u; cat /proc/self/cgroup; echo $$")
    assert inside.split()[0] == "0"
    # the process is in the cgroup although its user may not write to any
    pid = runtime.state(identity)["pid"]
    assert f"/{identity}" in Path(f"/proc/{pid}/cgroup").read_text()


def test_the_move_that_takes_the_place_of_the_pivot(
    any_runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    path = bundle.shell("ls / | wc -l; cat /proc/1/comm; touch /new && echo made")
    seen = any_runtime.ok("run", "--no-pivot", "--bundle", path, identity)
    assert seen.split() == [str(len(os.listdir(bundle.rootfs)) - 1), "sh", "made"]


def test_nothing_of_the_hosts_proc_is_left_below_the_root(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    """With --no-pivot: else the kernel would let a user namespace mount one without masks."""
    bundle.config["linux"]["readonlyPaths"] = ["/proc/sys"]
    path = bundle.write("/bin/sleep", "100")
    runtime.ok("run", "--detach", "--no-pivot", "--bundle", path, identity)
    pid = runtime.state(identity)["pid"]
    child = os.fork()
    if not child:
        code = 99
        try:
            setns(os.pidfd_open(pid), CLONE_NEWNS)
            unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID)
            if inner := os.fork():
                code = os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1])
            else:
                try:
                    mount("proc", "/proc", "proc", 0)
                    code = 0
                except OSError as error:
                    code = error.errno or 98
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == errno.EPERM


def test_ps_lists_the_processes_by_their_host_numbers(
    any_runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    any_runtime.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    pid = any_runtime.state(identity)["pid"]
    assert json.loads(any_runtime.ok("ps", "--format", "json", identity)) == [pid]
    assert str(pid) in any_runtime.ok("ps", identity)


def test_features_is_a_document(runtime: Runtime) -> None:
    document = json.loads(runtime.ok("features"))
    assert document["ociVersionMax"].startswith("1.")
    assert {"mount", "pid", "user"} <= set(document["linux"]["namespaces"])


def test_a_directory_that_its_user_could_not_enter(
    any_runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    """An image's WORKDIR may be root's: who makes the container may enter it."""
    (bundle.rootfs / "root").chmod(0o700)
    path = bundle.write("/bin/true", user={"uid": 42, "gid": 42}, cwd="/root")
    any_runtime.ok("run", "--bundle", path, identity)
