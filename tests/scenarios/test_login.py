"""`stacker login` as a user meets it: from a pipe, at a terminal, and what is left of it where."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.registries.debian import (
    PASSWORD,
    USER,
    DebianRegistry,
    debian_registry,
    htpasswd_auth,
    run,
)
from tests.registries.made import member, tar_of, umoci_layout
from tests.support.supervisor import Stacker
from tests.support.terminal import terminal

pytestmark = pytest.mark.root

WRONG = "s3cret-canary"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianRegistry]:
    """One that wants a password for everything; it has `private/app:1`."""
    folder = tmp_path_factory.mktemp("registry")
    layout = umoci_layout(folder / "layout", (tar_of(member("a", b"a")),))
    with debian_registry(folder / "basic", auth=htpasswd_auth(folder)) as running:
        running.skopeo(
            f"oci:{layout}:t", f"docker://{running.host}/private/app:1", credentials=True
        )
        yield running


def pull(stacker: Stacker, registry: DebianRegistry) -> int:
    text = f"name: p\nservices:\n  app:\n    image: {registry.host}/private/app:1\n"
    return stacker("pull", str(stacker.write(text))).returncode


def test_login_and_logout(shared_stacker: Stacker, registry: DebianRegistry) -> None:
    stacker = shared_stacker
    login = ("login", "-u", USER, "--password-stdin", registry.host)
    refused = stacker(*login, stdin=WRONG.encode())
    assert refused.returncode == 1
    assert f"login to {registry.host}: " in refused.stderr
    assert WRONG not in refused.stderr
    assert pull(stacker, registry) == 1

    done = stacker(*login, stdin=f"{PASSWORD}\n".encode())
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"logged in to {registry.host} as {USER}\n"
    assert pull(stacker, registry) == 0
    kept = stacker.root / "auth.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    # the file is podman's kind: skopeo is let in by it
    url = f"docker://{registry.host}/private/app:1"
    run("skopeo", "inspect", "--tls-verify=false", "--authfile", str(kept), url)

    for file in (*stacker.run.rglob("*"), *(stacker.root / "state").rglob("*")):
        if file.is_file():
            content = file.read_bytes()
            assert WRONG.encode() not in content, file
            assert PASSWORD.encode() not in content, file

    assert stacker("logout", registry.host).returncode == 0
    assert json.loads(kept.read_text()) == {"auths": {}}
    again = stacker("logout", registry.host)
    assert again.returncode == 1
    assert f"there is no login for {registry.host}" in again.stderr


def test_login_of_one_stack(shared_stacker: Stacker, registry: DebianRegistry) -> None:
    """Stack `p` has it, and no other."""
    stacker = shared_stacker
    done = stacker(
        *("login", "-u", USER, "--password-stdin", "-p", "p", registry.host),
        stdin=PASSWORD.encode(),
    )
    assert done.returncode == 0, done.stderr
    text = f"name: other\nservices:\n  app:\n    image: {registry.host}/private/app:1\n"
    refused = stacker("pull", str(stacker.write(text)))
    assert refused.returncode == 1
    assert "there are none for it" in refused.stderr
    assert pull(stacker, registry) == 0
    # all that is asked for the stack later is asked with it too
    own = str(stacker.write(text.replace("other", "p")))
    assert "current" in stacker.ok("outdated", own)
    stacker.ok("lock", own)
    name = f"{registry.host}/private/app:1"
    (inspected,) = json.loads(stacker.ok("image", "inspect", name))
    blob = (
        stacker.root / "images/blobs" / inspected["layers"][0]["blob"]["digest"].replace(":", "/")
    )
    blob.unlink()
    stacker.ok("image", "save", "-o", str(stacker.directory / "app.tar"), name)
    assert blob.exists()
    stacker.ok("logout", "-p", "p", registry.host)
    assert pull(stacker, registry) == 1


def test_at_a_terminal(shared_stacker: Stacker, registry: DebianRegistry) -> None:
    stacker = shared_stacker
    command = stacker.command("login", registry.host)
    with terminal(command, stacker.env(), stacker.directory) as screen:
        screen.expect(f"name for {registry.host}: ")
        screen.type(USER)
        screen.expect(f"password of {USER}: ")
        screen.type(PASSWORD)
        screen.expect(f"logged in to {registry.host} as {USER}")
        assert screen.end() == 0
        assert PASSWORD not in screen.shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-u", USER), "stdin is no terminal"),
        (("--password-stdin",), "--password-stdin needs --username"),
        (("-u", USER, "--password-stdin"), "needs a name and a password"),
    ],
)
def test_usage(arguments: tuple[str, ...], says: str, tmp_path: Path) -> None:
    stacker = Stacker(directory=tmp_path)
    done = stacker("login", *arguments, "h.io", stdin=b"")
    assert (done.returncode, os.listdir(tmp_path)) == (64, [])
    assert says in done.stderr
