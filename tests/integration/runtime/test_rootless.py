"""An ordinary user's containers: a single mapping, newuidmap's, and what is left out."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import runtime
from runtime.cgroups.detect import detect
from tests.integration.runtime.conftest import (
    Bundle,
    Config,
    base_config,
    captured,
    make_rootfs,
    wait_until,
)

pytestmark = pytest.mark.root

USER = 65533
FIRST_SUBORDINATE = 300000
_START = (
    "import sys;sys.path.append({tree!r});from runtime.__main__ import main;"
    "sys.exit(main(sys.argv[1:]))"
)


class Ordinary:
    """The runtime as a user who is not root calls it, with a session's directory of their own."""

    def __init__(self, home: Path) -> None:
        self.session = home / "session"
        self.session.mkdir()
        # the clone may lie where nobody but root gets to
        shutil.copytree(Path(runtime.__file__).parent, home / "code" / "runtime")
        start = _START.format(tree=str(home / "code"))
        interpreter = os.path.realpath(sys.executable)
        self._command = [interpreter, "-I", "-S", "-c", start]
        self._prefix: list[str] = []
        self.bundle = Bundle(path=home / "bundle", config=base_config("unused"))
        make_rootfs(self.bundle.rootfs)
        for directory, names, files in os.walk(home):
            for name in (*names, *files, "."):
                os.chown(os.path.join(directory, name), USER, USER, follow_symlinks=False)

    def use_subordinate_ids(self, home: Path) -> None:
        """/etc/passwd and /etc/sub[ug]id as newuidmap wants them, in mount namespaces of ours."""
        files = {
            "passwd": f"root:x:0:0::/:/bin/sh\nordinary:x:{USER}:{USER}::/:/bin/sh\n",
            "subuid": f"ordinary:{FIRST_SUBORDINATE}:1000\n",
            "subgid": f"ordinary:{FIRST_SUBORDINATE}:1000\n",
        }
        script = ""
        for name, text in files.items():
            (home / name).write_text(text)
            script += f"mount --bind {home / name} /etc/{name} && "
        self._prefix = ["unshare", "--mount", "sh", "-c", script + 'exec "$@"', "sh"]
        for name in files:
            if not os.path.exists(f"/etc/{name}"):
                pytest.skip(f"/etc/{name} is not there")

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return captured(
            [*self._prefix, "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
             "env", "-i", f"XDG_RUNTIME_DIR={self.session}", *self._command, *arguments]
        )  # fmt: skip

    def enter(self, cgroup: Path) -> None:
        """Call from there, from now on."""
        self._prefix = [
            "sh",
            "-c",
            f'echo $$ > {cgroup}/cgroup.procs; exec "$@"',
            "sh",
            *self._prefix,
        ]

    def ok(self, *arguments: str) -> str:
        done = self.call(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.returncode}: {done.stderr}"
        return done.stdout

    def state(self, identity: str) -> Config:
        return json.loads(self.ok("state", identity))


@pytest.fixture
def ordinary(identity: str) -> Iterator[Ordinary]:
    with tempfile.TemporaryDirectory(prefix="ordinary-") as directory:
        home = Path(directory)
        home.chmod(0o755)
        one = Ordinary(home)
        linux = one.bundle.config["linux"]
        del linux["cgroupsPath"]
        linux["namespaces"].append({"type": "user"})
        for kind in ("uidMappings", "gidMappings"):
            linux[kind] = [{"containerID": 0, "hostID": USER, "size": 1}]
        yield one
        one.call("delete", "--force", identity)
        root = one.session / "stacker-runtime"
        assert not root.exists() or [name for name in os.listdir(root) if name[0] != "."] == []


def test_a_whole_life(ordinary: Ordinary, identity: str) -> None:
    path = ordinary.bundle.write("/bin/sleep", "100")
    done = ordinary.call("create", "--bundle", path, identity)
    assert done.returncode == 0, done.stderr
    assert "the container runs without a cgroup of its own" in done.stderr
    assert ordinary.state(identity)["status"] == "created"
    ordinary.ok("start", identity)
    state = ordinary.state(identity)
    assert state["status"] == "running"
    assert os.stat(f"/proc/{state['pid']}").st_uid == USER
    assert [one["id"] for one in json.loads(ordinary.ok("list", "--format", "json"))] == [identity]
    seen = ordinary.ok("exec", identity, "sh", "-c", "id -u; id -g; echo $$; cat /proc/1/comm")
    assert seen.split()[:2] == ["0", "0"]
    assert seen.split()[-1] == "sleep"
    ordinary.ok("kill", identity, "KILL")
    wait_until(lambda: ordinary.state(identity)["status"] == "stopped")
    ordinary.ok("delete", identity)
    assert ordinary.call("state", identity).returncode != 0


def test_what_it_sees(ordinary: Ordinary, identity: str) -> None:
    script = (
        "cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; id -G; hostname; "
        "echo x > /dev/null && grep CapEff /proc/self/status; touch /file && echo written"
    )
    path = ordinary.bundle.shell(script, oomScoreAdj=100)
    seen = ordinary.ok("run", "--bundle", path, identity).split()
    line = ["0", str(USER), "1"]
    chown_kill_setgid_setuid = 1 << 0 | 1 << 5 | 1 << 6 | 1 << 7
    assert seen[:9] == [*line, *line, "deny", "0", "inside"]
    assert int(seen[10], 16) == chown_kill_setgid_setuid
    assert seen[11] == "written"
    assert (ordinary.bundle.rootfs / "file").stat().st_uid == USER


def test_time_seccomp_and_exit_codes(ordinary: Ordinary, identity: str) -> None:
    linux = ordinary.bundle.config["linux"]
    linux["namespaces"].append({"type": "time"})
    linux["timeOffsets"] = {"monotonic": {"secs": 1000}}
    linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 123}],
    }
    script = "grep monotonic /proc/self/timens_offsets; mkdir /new 2>&1; exit 7"
    done = ordinary.call("run", "--bundle", ordinary.bundle.shell(script), identity)
    assert done.returncode == 7, done.stderr
    assert done.stdout.split()[:3] == ["monotonic", "1000", "0"]
    assert "No medium found" in done.stdout


def test_what_the_user_cannot_have(ordinary: Ordinary, identity: str) -> None:
    ordinary.bundle.config["linux"]["resources"] = {"pids": {"limit": 5}}
    path = ordinary.bundle.shell("cat /proc/self/oom_score_adj; echo ran", oomScoreAdj=-500)
    done = ordinary.call("run", "--bundle", path, identity)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "ran"
    assert "linux.resources: not applied: pids" in done.stderr
    assert "process.oomScoreAdj: -500 is not ours to give" in done.stderr


def test_additional_groups_need_setgroups(ordinary: Ordinary, identity: str) -> None:
    user = {"uid": 0, "gid": 0, "additionalGids": [0]}
    done = ordinary.call("run", "--bundle", ordinary.bundle.write("/bin/true", user=user), identity)
    assert done.returncode == 1
    assert "process.user.additionalGids: the user namespace does not allow" in done.stderr


def test_a_user_namespace_is_needed(ordinary: Ordinary, identity: str) -> None:
    linux = ordinary.bundle.config["linux"]
    linux["namespaces"] = [one for one in linux["namespaces"] if one["type"] != "user"]
    linux["uidMappings"] = linux["gidMappings"] = []
    done = ordinary.call("run", "--bundle", ordinary.bundle.write("/bin/true"), identity)
    assert done.returncode == 1
    assert "linux.namespaces: who is not root needs a user namespace" in done.stderr


@pytest.mark.skipif(not os.path.exists("/usr/bin/newuidmap"), reason="needs Debian's uidmap")
def test_subordinate_ids(ordinary: Ordinary, identity: str) -> None:
    ordinary.use_subordinate_ids(ordinary.bundle.path.parent)
    linux = ordinary.bundle.config["linux"]
    for kind in ("uidMappings", "gidMappings"):
        linux[kind] = [
            {"containerID": 0, "hostID": USER, "size": 1},
            {"containerID": 1, "hostID": FIRST_SUBORDINATE, "size": 999},
        ]
    user = {"uid": 12, "gid": 34, "additionalGids": [56]}
    path = ordinary.bundle.shell("id -u; id -G; cat /proc/self/uid_map", user=user)
    seen = ordinary.ok("run", "--bundle", path, identity).split()
    assert seen[:3] == ["12", "34", "56"]
    assert seen[3:] == ["0", str(USER), "1", "1", str(FIRST_SUBORDINATE), "999"]


@pytest.mark.skipif(not os.path.exists("/usr/bin/newuidmap"), reason="needs Debian's uidmap")
def test_ids_that_are_not_the_users_are_refused(ordinary: Ordinary, identity: str) -> None:
    ordinary.use_subordinate_ids(ordinary.bundle.path.parent)
    linux = ordinary.bundle.config["linux"]
    linux["uidMappings"] = [{"containerID": 0, "hostID": 0, "size": 1000}]
    done = ordinary.call("run", "--bundle", ordinary.bundle.write("/bin/true"), identity)
    assert done.returncode == 1
    assert "linux.uidMappings: /usr/bin/newuidmap ended with 1" in done.stderr


@pytest.fixture
def delegated(ordinary: Ordinary, identity: str) -> Iterator[Path]:
    """A cgroup that is the user's, with the caller in it, as a session's service manager has it."""
    if detect().mode != "v2":
        pytest.skip("cgroups of version 1 are not for ordinary users")
    top = Path(f"/sys/fs/cgroup/{identity}")
    (top / "own").mkdir(parents=True)
    (top.parent / "cgroup.subtree_control").write_text("+memory +pids")
    (top / "cgroup.subtree_control").write_text("+memory +pids")
    for path in (top, *(top / name for name in ("cgroup.procs", "cgroup.subtree_control"))):
        os.chown(path, USER, USER)
    ordinary.enter(top / "own")
    yield top
    ordinary.call("delete", "--force", identity)
    (top / "own").rmdir()
    top.rmdir()


def test_limits_hold_in_a_cgroup_of_ones_own(
    ordinary: Ordinary, delegated: Path, identity: str
) -> None:
    """Rules for devices take the host's root; what every engine writes of them is not missed."""
    linux = ordinary.bundle.config["linux"]
    linux["cgroupsPath"] = f"/{delegated.name}/container"
    linux["resources"] = {
        "devices": [{"allow": False, "access": "rwm"}],
        "memory": {"limit": 64 << 20},
        "pids": {"limit": 33},
    }
    done = ordinary.call("create", "--bundle", ordinary.bundle.write("/bin/sleep", "9"), identity)
    assert (done.returncode, done.stderr) == (0, "")
    assert (delegated / "container/memory.max").read_text().strip() == str(64 << 20)
    assert (delegated / "container/pids.max").read_text().strip() == "33"
