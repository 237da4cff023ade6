"""$HOME where config.json names none: from the container's passwd, as engines expect it."""

from __future__ import annotations

import os

import pytest

from tests.integration.runtime.conftest import Bundle, Runtime

pytestmark = pytest.mark.root
PASSWD = "root:x:0:0:root:/root:/bin/sh\nsomebody:x:2000:2000::/home/somebody:/bin/sh\n"


@pytest.mark.parametrize(
    ("uid", "more", "home"),
    [(0, [], "/root"), (2000, [], "/home/somebody"), (2000, ["HOME="], "/home/somebody"),
     (3000, [], "/"), (2000, ["HOME=/mine"], "/mine")],
)  # fmt: skip
def test_home(
    any_runtime: Runtime, bundle: Bundle, identity: str, uid: int, more: list[str], home: str
) -> None:
    if any_runtime.name == "crun" and (more == ["HOME="] or uid == 3000):
        pytest.skip("crun 1.8 leaves an empty one, and that of an unknown user, as it is")
    (bundle.rootfs / "etc/passwd").write_text(PASSWD)
    path = bundle.shell("echo $HOME", user={"uid": uid, "gid": 0}, env=["PATH=/bin", *more])
    assert any_runtime.ok("run", "--bundle", path, identity) == f"{home}\n"


def test_home_of_exec(any_runtime: Runtime, bundle: Bundle, identity: str) -> None:
    (bundle.rootfs / "etc/passwd").write_text(PASSWD)
    any_runtime.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "1000"), identity)
    words = ("/bin/sh", "-c", "echo $HOME")
    assert any_runtime.ok("exec", "--user", "2000", identity, *words) == "/home/somebody\n"
    if any_runtime.name != "crun":
        assert any_runtime.ok("exec", "--user", "3000", identity, *words) == "/\n"


@pytest.mark.parametrize("kind", ["fifo", "link", "directory", "device", "huge"])
def test_a_passwd_that_is_a_trap(
    runtime: Runtime, bundle: Bundle, identity: str, kind: str
) -> None:
    """Nothing but a plain file inside the root is read, and that not without end."""
    passwd = bundle.rootfs / "etc/passwd"
    if kind == "fifo":
        os.mkfifo(passwd)
    elif kind == "link":
        (bundle.path / "outside").write_text("root:x:0:0:root:/outside:/bin/sh\n")
        passwd.symlink_to(f"../../../../../..{bundle.path}/outside")
    elif kind == "directory":
        passwd.mkdir()
    elif kind == "device":
        os.mknod(passwd, 0o20666, os.makedev(1, 5))
    else:
        with passwd.open("wb") as file:
            file.truncate(1 << 40)
    assert runtime.ok("run", "--bundle", bundle.shell("echo $HOME"), identity) == "/\n"
