"""podman drives our runtime: what a user of podman does, one test each."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.integration.clients.podman import IMAGE, Podman
from tests.integration.runtime.conftest import wait_until
from tests.support.cgroups import limit
from tests.support.terminal import terminal

pytestmark = pytest.mark.root

NAMESPACES = ("pid", "ipc", "network")
TRAPPED = ("sh", "-c", "trap 'echo got TERM; exit 5' TERM; echo set; while :; do sleep 0.05; done")


def await_log(podman: Podman, name: str, text: str) -> None:
    wait_until(lambda: text in podman.ok("logs", name))


def namespace_of(podman: Podman, name: str, kind: str) -> str:
    link = f"/proc/self/ns/{'net' if kind == 'network' else kind}"
    return podman.ok("exec", name, "readlink", link)


def test_run(podman: Podman) -> None:
    done = podman.run("--env", "MARK=here", command=("sh", "-c", "echo $MARK; exit 3"))
    assert (done.returncode, done.stdout) == (3, "here\n")


def test_run_of_a_program_that_is_missing(podman: Podman) -> None:
    # podman tells 126 and 127 apart by the text of our message
    assert podman.run(command=("nosuch",)).returncode == 127
    assert podman.run(command=("/etc/passwd",)).returncode == 126


def test_run_in_a_terminal(podman: Podman, tmp_path: Path) -> None:
    words = ("run", "--rm", "-it", *podman.options(), IMAGE, "sh")
    argv = podman.machine.inside(*podman.argv(*words))
    with terminal(["/usr/bin/nsenter", *argv[1:]], dict(os.environ), tmp_path, size=(31, 97)) as t:
        t.expect("#")
        t.type("tty; echo size $(stty size)")
        t.expect("/dev/pts/0")
        t.expect("size 31 97")
        t.resize(20, 60)
        t.type("while [ \"$(stty size)\" != '20 60' ]; do :; done; echo new$((1 + 1))")
        t.expect("new2")
        t.type("exit 6")
        assert t.end() == 6


def test_exec(podman: Podman) -> None:
    podman.detached("main")
    assert podman.ok("exec", "main", "sh", "-c", "echo $$; cat /proc/1/cmdline").startswith("2")
    assert podman.ok("exec", "--user", "7:8", "--workdir", "/tmp", "main", "sh", "-c", "id -u; pwd"
                     ).split() == ["7", "/tmp"]  # fmt: skip
    assert podman.ok("exec", "-i", "main", "cat", stdin=b"through").strip() == "through"
    assert podman.call("exec", "main", "sh", "-c", "exit 9").returncode == 9
    assert podman.call("exec", "main", "nosuch").returncode == 127


def test_pause_and_unpause(podman: Podman) -> None:
    podman.detached("main")
    podman.ok("pause", "main")
    assert podman.inspect("main", "State.Status") == "paused"
    podman.ok("unpause", "main")
    assert podman.inspect("main", "State.Status") == "running"
    assert podman.ok("exec", "main", "echo", "awake") == "awake"


def test_limits(podman: Podman) -> None:
    limits = ("--memory=64m", "--cpus=0.5", "--pids-limit=77")
    podman.detached("main", *limits)
    assert limits_of(podman, "main") == (str(64 << 20), "50000", "77")


def test_update(podman: Podman) -> None:
    podman.detached("main", "--memory=64m", "--cpus=0.5", "--pids-limit=77")
    podman.ok("update", "--memory=32m", "--cpus=0.25", "main")
    memory, cpu, _ = limits_of(podman, "main")
    assert (memory, cpu) == (str(32 << 20), "25000")


def limits_of(podman: Podman, name: str) -> tuple[str, str, str]:
    """As the kernel has them: memory, quota and pids."""
    pid = int(podman.inspect(name, "State.Pid"))
    proc = Path(f"/proc/{podman.machine.holder}/root/proc")
    memory, cpu, pids = (limit(pid, name, proc=proc) for name in ("memory", "cpu", "pids"))
    return memory, cpu, pids


def test_stats(podman: Podman) -> None:
    podman.detached("main", "--memory=64m")
    (stats,) = json.loads(podman.ok("stats", "--no-stream", "--format", "json", "main"))
    assert stats["name"] == "main"
    assert stats["pids"] == "1"
    assert stats["mem_usage"].endswith("/ 67.11MB")


def test_top(podman: Podman) -> None:
    podman.detached("main")
    assert podman.ok("top", "main", "args").splitlines() == ["COMMAND", "sleep 1000"]


def test_kill(podman: Podman) -> None:
    podman.detached("main", command=TRAPPED)
    await_log(podman, "main", "set")
    podman.ok("kill", "--signal", "TERM", "main")
    assert podman.ok("wait", "main") == "5"
    assert "got TERM" in podman.ok("logs", "main")


def test_stop(podman: Podman) -> None:
    podman.detached("gentle", command=TRAPPED)
    await_log(podman, "gentle", "set")
    podman.ok("stop", "--time", "20", "gentle")
    assert podman.inspect("gentle", "State.ExitCode") == "5"
    podman.detached("deaf")
    podman.ok("stop", "--time", "0", "deaf")
    assert podman.inspect("deaf", "State.ExitCode") == "137"


def test_restart(podman: Podman) -> None:
    podman.detached("main")
    before = podman.inspect("main", "State.Pid")
    podman.ok("restart", "--time", "0", "main")
    assert podman.inspect("main", "State.Status") == "running"
    assert podman.inspect("main", "State.Pid") != before


@pytest.mark.parametrize(
    ("option", "size"),
    [("--userns=auto:size=2000", 2000), ("--uidmap=0:200000:3000", 3000)],
    ids=["auto", "uidmap"],
)
def test_user_namespace(podman: Podman, option: str, size: int) -> None:
    gidmap = [option.replace("uid", "gid")] if "uidmap" in option else []
    done = podman.run(option, *gidmap, command=("sh", "-c", "id -u; cat /proc/self/uid_map"))
    assert done.returncode == 0, done.stderr
    uid, inside, outside, length = done.stdout.split()
    assert (uid, inside, length) == ("0", "0", str(size))
    assert int(outside) >= 100000


def test_read_only(podman: Podman) -> None:
    done = podman.run("--read-only", command=("sh", "-c", "touch /tmp/here && touch /there"))
    assert done.returncode == 1, done.stderr
    assert "Read-only file system" in done.stderr


def test_tmpfs(podman: Podman) -> None:
    # podman asks for tmpcopyup: what the image has there is in the new file system
    script = "grep ' /etc ' /proc/mounts; cat /etc/group; stat -f -c %b /etc; stat -c %a /etc"
    done = podman.run("--tmpfs=/etc:size=1m,mode=750", command=("sh", "-c", script))
    assert done.returncode == 0, done.stderr
    assert "tmpfs /etc tmpfs" in done.stdout
    assert "nogroup:x:65534:" in done.stdout
    assert done.stdout.split()[-2:] == ["256", "750"]


def test_device(podman: Podman) -> None:
    # none of the default devices; the cgroup's rule, not the node's mode, keeps a writer out
    script = "stat -c '%F %t:%T' /dev/odd; : < /dev/odd && echo read; : > /dev/odd"
    options = ("--device=/dev/kmsg:/dev/odd:r", "--cap-add=SYSLOG")
    done = podman.run(*options, command=("sh", "-c", script))
    assert done.stdout.splitlines() == ["character special file 1:b", "read"], done.stderr
    assert "Operation not permitted" in done.stderr
    assert done.returncode != 0


def test_seccomp(podman: Podman) -> None:
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}],
    }
    file = podman.machine.write("profile.json", json.dumps(profile))
    done = podman.run(f"--security-opt=seccomp={file}", command=("mkdir", "/new"))
    assert done.returncode == 1
    assert "Operation not supported" in done.stderr


@pytest.mark.parametrize("kind", NAMESPACES)
def test_namespace_of_another_container(podman: Podman, kind: str) -> None:
    podman.detached("first")
    podman.detached("second", f"--{kind}=container:first")
    shared = {
        one: namespace_of(podman, "first", one) == namespace_of(podman, "second", one)
        for one in NAMESPACES
    }
    assert shared == {one: one == kind for one in NAMESPACES}


def test_init(podman: Podman) -> None:
    done = podman.run("--init", command=("cat", "/proc/1/cmdline"))
    assert done.stdout.startswith("/run/podman-init\0--\0cat\0"), done.stderr


def test_kube_play(podman: Podman) -> None:
    containers = "".join(
        f"  - {{name: {name}, image: {IMAGE}, imagePullPolicy: Never, command: [sleep, '1000']}}\n"
        for name in ("one", "two")
    )
    text = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: duo}}\nspec:\n  containers:\n{containers}"
    file = podman.machine.write("duo.yaml", text)
    podman.ok("kube", "play", "--network", "none", file)
    for kind in ("network", "ipc"):
        assert namespace_of(podman, "duo-one", kind) == namespace_of(podman, "duo-two", kind)
    # the third one holds the pod's namespaces
    identities = podman.ok("ps", "--all", "--quiet").split()
    assert [podman.inspect(one, "State.Status") for one in identities] == ["running"] * len(
        identities
    )
    assert len(identities) == 3
    podman.ok("kube", "down", file)
    assert podman.ok("ps", "--all", "--quiet") == ""
