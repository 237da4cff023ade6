"""Containers with ids of their own (`userns_mode: auto`), on both forms of layers."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.linux import mount
from tests.scenarios.conftest import a_stacker
from tests.support.supervisor import IMAGE, Stacker, eventually

pytestmark = pytest.mark.root

IDLE = f"""
x-idle: &idle
  image: {IMAGE}
  command: [sleep, infinity]
  init: true
  userns_mode: auto
"""

STACK = f"""
name: apart
{IDLE}
services:
  one:
    <<: *idle
    init: false
    command: [sh, -c, "echo said > /dev/stdout; touch /ready; sleep infinity"]
    healthcheck: {{test: test -e /ready, interval: 100ms}}
    secrets: [{{source: word, mode: 0400}}]
    volumes: ["data:/data", "./shared:/shared"]
    cap_add: [NET_RAW]
    security_opt: ["no-new-privileges:false"]
  two:
    <<: *idle
    userns_mode: auto:size=4096
    tty: true
    volumes: ["./shared:/shared"]
  plain:
    <<: *idle
    userns_mode: host
    volumes: ["data:/data"]
volumes: {{data: {{}}}}
secrets: {{word: {{file: ./word}}}}
"""


@pytest.fixture(params=["erofs", "directory"])
def apart(
    request: pytest.FixtureRequest, busybox_tar: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stacker]:
    monkeypatch.setenv("STACKER_LAYERS", request.param)
    with a_stacker(busybox_tar) as stacker:
        (stacker.directory / "word").write_text("hidden")
        shared = stacker.directory / "shared"
        shared.mkdir()
        shared.chmod(0o777)
        (shared / "of-root").write_text("the host's")
        (shared / "of-root").chmod(0o600)
        stacker.up(STACK)
        yield stacker


def sh(stacker: Stacker, service: str, script: str, user: str = "root") -> str:
    return stacker.ok("exec", "-T", "-u", user, service, "sh", "-c", script).strip()


def refused(stacker: Stacker, service: str, script: str, user: str = "root") -> bool:
    done = stacker("exec", "-T", "-u", user, service, "sh", "-c", script)
    return done.returncode != 0 and "denied" in done.stderr + done.stdout


def ids(stacker: Stacker, service: str) -> tuple[int, int]:
    """The first id of a container on the host, and how many it has."""
    pid = stacker.containers()[f"apart-{service}-1"]["pid"]
    maps = [Path(f"/proc/{pid}/{kind}_map").read_text().split() for kind in ("uid", "gid")]
    assert maps[0] == maps[1]
    inside, first, size = map(int, maps[0])
    assert inside == 0
    return first, size


def test_containers_of_their_own_ids(apart: Stacker) -> None:
    (one, one_size), (two, two_size) = ids(apart, "one"), ids(apart, "two")
    assert (one_size, two_size) == (65536, 4096)
    assert one + one_size <= two or two + two_size <= one
    assert min(one, two) >= 65536
    assert ids(apart, "plain") == (0, 2**32 - 1)
    told = json.loads(apart.ok("inspect", "-p", "apart", "one", "two", "plain"))
    assert [each["ids"] for each in told] == [
        {"first": one, "size": one_size},
        {"first": two, "size": two_size},
        None,
    ]

    # root inside, and the image is its own; outside nobody
    assert sh(apart, "one", "id -u; id -g; stat -c %u:%g /bin/busybox /etc / /tmp").split() == [
        "0", "0", *["0:0"] * 4,
    ]  # fmt: skip
    sh(apart, "one", "echo mine > /shared/note; chmod 600 /shared/note")
    assert (apart.directory / "shared/note").stat().st_uid == one
    for service in ("one", "two"):
        assert refused(apart, service, "cat /shared/of-root")
    for attack in ("cat /shared/note", "echo x >> /shared/note"):
        assert refused(apart, "two", attack)
    # an owner that a user namespace does not have is no file that its root could give away
    for attack in ("chown 0 /shared/note", "chmod 777 /shared/note"):
        assert apart("exec", "-T", "two", "sh", "-c", attack).returncode != 0
    assert (apart.directory / "shared/note").read_text() == "mine\n"

    # what the container has of ours
    assert "said" in apart.ok("logs", "-p", "apart", "one")
    assert apart.containers()["apart-one-1"]["health"] == "healthy"
    assert sh(apart, "one", "stat -c %u:%a /run/secrets/word; cat /run/secrets/word").split() == [
        "0:400", "hidden",
    ]  # fmt: skip
    assert refused(apart, "one", "cat /run/secrets/word", user="nobody")
    assert sh(apart, "one", "echo 127.0.0.9 extra >> /etc/hosts; cat /etc/hosts | tail -1")
    assert "two" in sh(apart, "one", "nslookup two.")
    assert apart.ok("exec", "two", "stat", "-c", "%u", "/dev/console").strip() == "0"

    # its network is its own: raw sockets with the capability, and low ports without
    assert "1 packets received" in sh(apart, "one", "ping -c 1 two")
    assert sh(apart, "two", "timeout 1 nc -l -p 80 || echo ended", user="1000:1000") == "ended"
    # a setuid program is root's; one that is not set is its caller's
    sh(apart, "one", "cp /bin/busybox /srv/ping")
    assert refused(apart, "one", "/srv/ping -c 1 127.0.0.1", user="nobody")
    sh(apart, "one", "chmod 4755 /srv/ping")
    assert "1 packets received" in sh(apart, "one", "/srv/ping -c 1 127.0.0.1", user="nobody")


def test_a_named_volume_has_the_ids_of_the_inside(apart: Stacker) -> None:
    sh(apart, "one", "echo kept > /data/file; chown 1000:1001 /data/file; echo > /data/roots")
    file = apart.root / "volumes/apart_data/_data/file"
    assert (file.stat().st_uid, file.stat().st_gid) == (1000, 1001)
    look = "stat -c %u:%g /data/file /data/roots /data"
    assert sh(apart, "plain", look) == sh(apart, "one", look) == "1000:1001\n0:0\n0:0"


def test_a_part_of_a_volume_has_them_too(apart: Stacker) -> None:
    sh(apart, "one", "mkdir /data/part; echo > /data/part/file; chown 9 /data/part/file")
    apart.up(f"""
name: parts
{IDLE}
services:
  web:
    <<: *idle
    volumes: [{{type: volume, source: data, target: /part, volume: {{subpath: part}}}}]
volumes: {{data: {{external: true, name: apart_data}}}}
""")
    look = ("exec", "-T", "-p", "parts", "web", "stat", "-c", "%u", "/part", "/part/file")
    assert apart.ok(*look).split() == ["0", "9"]


def test_a_new_volume_takes_the_images_owners(apart: Stacker) -> None:
    apart.up(f"""
name: filled
{IDLE}
services:
  web: {{<<: *idle, volumes: ["data:/etc"]}}
volumes: {{data: {{}}}}
""")
    data = apart.root / "volumes/filled_data/_data"
    assert (data / "passwd").stat().st_uid == data.stat().st_uid == 0
    seen = apart.ok("exec", "-T", "-p", "filled", "web", "stat", "-c", "%u", "/etc", "/etc/passwd")
    assert seen.split() == ["0", "0"]


def test_a_supervisor_that_dies_changes_nothing(apart: Stacker) -> None:
    before, pids = {name: ids(apart, name) for name in ("one", "two")}, apart.containers()
    sh(apart, "one", "echo kept > /file; rm /bin/vi; chown 5 /file")
    os.kill(apart.supervisor_pid(), signal.SIGKILL)
    apart.ok("up", "-d", "--wait", str(apart.directory / "stack.yaml"))
    after = apart.containers()
    assert {name: row["pid"] for name, row in after.items()} == {
        name: row["pid"] for name, row in pids.items()
    }
    assert sh(apart, "one", "cat /file; stat -c %u /file; id -u").split() == ["kept", "5", "0"]

    # a container made now knows which ids are taken, and one that is started again keeps its own
    apart.ok("restart", "-t", "0", "-p", "apart", "one")
    assert {name: ids(apart, name) for name in before} == before
    assert sh(apart, "one", "cat /file; ls /bin/vi || true") == "kept"
    apart.ok("up", "-d", "--wait", "--force-recreate", str(apart.directory / "stack.yaml"))
    ranges = sorted(ids(apart, name) for name in before)
    assert ranges[0][0] + ranges[0][1] <= ranges[1][0]


def test_commit_gives_the_ids_of_the_inside(apart: Stacker) -> None:
    sh(apart, "one", "echo new > /srv/new; chown 7:8 /srv/new; echo > /srv/roots; rm /bin/vi")
    apart.ok("image", "commit", "apart-one-1", "local/apart:1")
    place = Path(apart.ok("image", "mount", "local/apart:1").strip())
    try:
        new = (place / "srv/new").stat()
        assert (new.st_uid, new.st_gid) == (7, 8)
        assert (place / "srv/roots").stat().st_uid == (place / "srv").stat().st_uid == 0
        assert not (place / "bin/vi").exists()
    finally:
        apart.ok("image", "unmount", str(place))


def test_namespaces_are_shared_with_the_ids(stacker: Stacker) -> None:
    stacker.up(f"""
name: apart
{IDLE}
services:
  owner: {{<<: *idle, ipc: shareable}}
  guest:
    <<: *idle
    network_mode: service:owner
    pid: service:owner
    ipc: service:owner
    init: false
""")
    owner, guest = (stacker.containers()[f"apart-{name}-1"]["pid"] for name in ("owner", "guest"))
    for kind in ("user", "net", "pid", "ipc"):
        assert os.readlink(f"/proc/{owner}/ns/{kind}") == os.readlink(f"/proc/{guest}/ns/{kind}")
    sh(stacker, "guest", "echo shared > /dev/shm/note")
    assert sh(stacker, "owner", "cat /dev/shm/note; stat -c %u /dev/shm/note") == "shared\n0"


def test_the_control_socket_is_not_for_root_of_a_user_namespace(stacker: Stacker) -> None:
    """H1: also where its directory was mounted into the container by mistake."""
    stacker.up(f"""
name: apart
{IDLE}
services:
  web: {{<<: *idle, volumes: ["{stacker.run}/api:/api"]}}
""")
    assert stat.S_ISSOCK((stacker.run / "api/stacker.sock").stat().st_mode)
    assert sh(stacker, "web", "id -u; test -w /api/stacker.sock || echo shut").split() == [
        "0", "shut",
    ]  # fmt: skip
    assert refused(stacker, "web", "ls /api")


@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_another_runtime_is_refused_and_what_runs_goes_on(stacker: Stacker, runtime: str) -> None:
    text = f"name: apart\n{IDLE}\nservices: {{web: *idle}}\n"
    stacker.up(text)
    before = stacker.containers()
    changed = text.replace("*idle", "{<<: *idle, runtime: " + runtime + "}")
    done = stacker("up", "-d", str(stacker.write(changed)))
    assert done.returncode == 1
    (why,) = done.stderr.splitlines()
    assert "services.web.userns_mode: ids of its own a container has by runtime builtin" in why
    assert f"{runtime} would look for its root file system with those ids" in why
    assert stacker.containers()["apart-web-1"]["pid"] == before["apart-web-1"]["pid"]


def test_where_files_cannot_be_mapped_it_is_refused(busybox_tar: Path) -> None:
    """ramfs has no id-mapped mounts on any kernel."""
    with tempfile.TemporaryDirectory(prefix="sk-", dir="/tmp") as path:
        stacker = Stacker(directory=Path(path))
        stacker.root.mkdir()
        mount.mount("ramfs", str(stacker.root), "ramfs")
        try:
            stacker.ok("import", "--change", "CMD sh", str(busybox_tar), IMAGE)
            text = f"name: apart\n{IDLE}\nservices: {{web: *idle}}\n"
            done = stacker("up", "-d", str(stacker.write(text)))
            assert done.returncode == 1
            assert "services.web.userns_mode: this host cannot map the ids" in done.stderr
            assert stacker.json("ls")["stacks"] == []
            stacker.end()
        finally:
            eventually(
                lambda: subprocess.run(["umount", stacker.root], check=False).returncode == 0,
                what="nobody using the state root",
            )
