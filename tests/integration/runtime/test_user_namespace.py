"""User namespaces: joined by path, several mappings, and what is refused."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from runtime.cgroups.detect import detect
from tests.integration.runtime.conftest import Bundle, Runtime, call_warm

pytestmark = pytest.mark.root


def give_to(bundle: Bundle, owner: int) -> None:
    """The tree and the way to it, as an engine prepares them."""
    for directory, names, files in os.walk(bundle.path):
        for name in (*names, *files, "."):
            os.chown(os.path.join(directory, name), owner, owner, follow_symlinks=False)
    for parent in bundle.path.parents:
        if str(parent).startswith("/tmp/"):
            os.chmod(parent, os.stat(parent).st_mode | 0o011)


def test_several_mappings(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    give_to(bundle, 100000)
    linux = bundle.config["linux"]
    linux["namespaces"].append({"type": "user"})
    mappings = [
        {"containerID": 0, "hostID": 100000, "size": 10},
        {"containerID": 10, "hostID": 200000, "size": 20},
    ]
    linux["uidMappings"], linux["gidMappings"] = mappings, list(reversed(mappings))
    path = bundle.shell("cat /proc/self/uid_map /proc/self/gid_map", oomScoreAdj=77)
    seen = runtime.ok("run", "--bundle", path, identity).split()
    assert seen == [
        "0",
        "100000",
        "10",
        "10",
        "200000",
        "20",
        "10",
        "200000",
        "20",
        "0",
        "100000",
        "10",
    ]


def test_all_capabilities_there_are_can_be_had(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    give_to(bundle, 100000)
    linux = bundle.config["linux"]
    linux["namespaces"].append({"type": "user"})
    for kind in ("uidMappings", "gidMappings"):
        linux[kind] = [{"containerID": 0, "hostID": 100000, "size": 10}]
    wanted = ["CAP_SYS_RESOURCE", "CAP_SYS_ADMIN"]
    sets = dict.fromkeys(("bounding", "effective", "permitted"), wanted)
    path = bundle.shell("grep CapEff /proc/self/status; cat /proc/self/oom_score_adj",
                        capabilities=sets, oomScoreAdj=77)  # fmt: skip
    _, mask, score = runtime.ok("run", "--bundle", path, identity).split()
    assert int(mask, 16) == 1 << 24 | 1 << 21
    assert score == "77"


def test_joined_by_path(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    give_to(bundle, 100000)
    with subprocess.Popen(
        ["unshare", "--user", "sh", "-c", "echo; read x; exec sleep 100"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        try:
            assert holder.stdout is not None
            holder.stdout.readline()
            for kind in ("uid", "gid"):
                Path(f"/proc/{holder.pid}/{kind}_map").write_text("0 100000 65536\n")
            path = f"/proc/{holder.pid}/ns/user"
            bundle.config["linux"]["namespaces"].append({"type": "user", "path": path})
            bundle_path = bundle.shell("id -u; readlink /proc/self/ns/user; id -g")
            seen = runtime.ok("run", "--bundle", bundle_path, identity).split()
            assert seen == ["0", os.readlink(path), "0"]
        finally:
            holder.kill()


@pytest.mark.parametrize(
    ("kind", "file"),
    [("user", "net"), ("time", "user"), ("pid", "mnt"), ("cgroup", "pid"), ("mount", "uts")],
)
def test_another_type_is_refused_by_its_field(
    runtime: Runtime, bundle: Bundle, identity: str, kind: str, file: str
) -> None:
    namespaces = bundle.config["linux"]["namespaces"]
    namespaces[:] = [one for one in namespaces if one["type"] != kind]
    namespaces.append({"type": kind, "path": f"/proc/self/ns/{file}"})
    done = runtime.call("run", "--bundle", bundle.write("/bin/true"), identity)
    assert done.returncode == 1
    place = f"linux.namespaces[{len(namespaces) - 1}].path"
    assert f"{place}: /proc/self/ns/{file} is not a {kind} namespace" in done.stderr


def test_it_needs_a_mount_namespace(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    """The caller's belongs to the caller's user namespace: nothing could be mounted there."""
    linux = bundle.config["linux"]
    linux["namespaces"] = [{"type": "user"}, {"type": "pid"}]
    linux["uidMappings"] = linux["gidMappings"] = [{"containerID": 0, "hostID": 5, "size": 9}]
    del bundle.config["hostname"]
    done = runtime.call("run", "--bundle", bundle.write("/bin/true"), identity)
    assert done.returncode == 1
    assert "linux.namespaces: in a user namespace a mount namespace is needed" in done.stderr


def test_without_mappings_root_is_the_caller(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    """crun's way; runc refuses it."""
    bundle.config["linux"]["namespaces"].append({"type": "user"})
    seen = runtime.ok("run", "--bundle", bundle.shell("cat /proc/self/?id_map; id"), identity)
    assert [line.split() for line in seen.splitlines()[:2]] == [["0", "0", "1"], ["0", "0", "1"]]


def test_root_need_not_be_mapped(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    linux = bundle.config["linux"]
    linux["namespaces"].append({"type": "user"})
    one = [{"containerID": 1000, "hostID": 100_000, "size": 1}]
    linux["uidMappings"] = linux["gidMappings"] = one
    user = {"uid": 1000, "gid": 1000}
    for path in (bundle.rootfs, *bundle.rootfs.rglob("*")):
        os.chown(path, 100_000, 100_000, follow_symlinks=False)
    path = bundle.write("/bin/sleep", "1000", user=user)
    runtime.ok("run", "--detach", "--bundle", path, identity)
    seen = runtime.ok("exec", identity, "/bin/sh", "-c", "id -u; id -g; cat /proc/self/uid_map")
    assert seen.split() == ["1000", "1000", "1000", "100000", "1"]


def test_a_network_that_is_not_the_user_namespaces(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    """The caller may join it, who would be nobody there from inside of the user namespace."""
    script = ["unshare", "--net", "sh", "-c", "echo; exec sleep 1000"]
    users = ["unshare", "--user", "--map-root-user", "sh", "-c", "echo; exec sleep 1000"]
    holders = [subprocess.Popen(words, stdout=subprocess.PIPE) for words in (script, users)]
    try:
        for holder in holders:
            assert holder.stdout is not None
            holder.stdout.readline()
        paths = [f"/proc/{holder.pid}/ns/" for holder in holders]
        linux = bundle.config["linux"]
        linux["namespaces"] = [
            {"type": "network", "path": f"{paths[0]}net"},
            {"type": "user", "path": f"{paths[1]}user"},
            *({"type": kind} for kind in ("pid", "mount", "ipc", "uts", "cgroup")),
        ]
        # a sysfs belongs to the network
        bundle.config["mounts"] = [one for one in bundle.config["mounts"] if one["type"] != "sysfs"]
        linux["maskedPaths"] = []
        path = bundle.write("/bin/sleep", "1000")
        runtime.ok("run", "--detach", "--bundle", path, identity)
        look = "for kind in net user; do readlink /proc/self/ns/$kind; done"
        seen = runtime.ok("exec", identity, "/bin/sh", "-c", look)
        assert seen.split() == [os.readlink(f"{paths[0]}net"), os.readlink(f"{paths[1]}user")]
    finally:
        for holder in holders:
            holder.kill()
            holder.communicate()


def test_streams_are_the_users_own(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    """Who opens /dev/stdout opens a pipe that the host's root has made."""
    give_to(bundle, 100000)
    linux = bundle.config["linux"]
    linux["namespaces"].append({"type": "user"})
    for kind in ("uidMappings", "gidMappings"):
        linux[kind] = [{"containerID": 0, "hostID": 100000, "size": 10}]
    path = bundle.shell("echo said > /dev/stdout; sleep 1000", user={"uid": 7, "gid": 7})
    out, into = os.pipe()
    try:
        root = ("--root", str(runtime.root))
        assert call_warm(*root, "create", "--bundle", path, identity, stdout=into) == 0
        assert os.fstat(out).st_uid == 100007
        runtime.ok("start", identity)
        assert os.read(out, 5) == b"said\n"
    finally:
        os.close(out)
        os.close(into)


@pytest.mark.parametrize("options", [["nosuid"], ["nosuid", "ro"]])
def test_the_cgroup_belongs_to_who_may_write_to_it(
    runtime: Runtime, bundle: Bundle, identity: str, options: list[str]
) -> None:
    """config-linux.md, "Cgroup ownership": so that an init system inside can make its own."""
    if detect().mode != "v2":
        pytest.skip("cgroups of version 1 are not handed over")
    give_to(bundle, 100000)
    linux = bundle.config["linux"]
    linux["namespaces"].append({"type": "user"})
    for kind in ("uidMappings", "gidMappings"):
        linux[kind] = [{"containerID": 0, "hostID": 100000, "size": 10}]
    bundle.config["mounts"].append(
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "x", "options": options}
    )
    path = bundle.shell(
        "mkdir /sys/fs/cgroup/own 2>/dev/null && echo 0 > /sys/fs/cgroup/own/cgroup.procs "
        "&& echo made; echo max 2>/dev/null > /sys/fs/cgroup/memory.max && echo limits; true"
    )
    seen = runtime.ok("run", "--bundle", path, identity).split()
    assert seen == ([] if "ro" in options else ["made"])
