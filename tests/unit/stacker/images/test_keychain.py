from __future__ import annotations

import json
from pathlib import Path

import pytest

from stacker.base.errors import Corrupt, Failed, Invalid, NotFound
from stacker.drivers.images.registry import keychain
from stacker.drivers.images.registry.credentials import Helper, IdentityToken, Password
from stacker.drivers.images.registry.keychain import Keychain
from stacker.drivers.images.registry.logins import Logins


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The script of `docker-credential-test`; it notes what it was asked."""
    program = tmp_path / "bin" / "docker-credential-test"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    return program


def says(program: Path, script: str) -> None:
    program.write_text(f'#!/bin/sh\n[ "$1" = get ] || exit 9\nread key || :\n{script}\n')
    program.chmod(0o755)


ASK = Helper(name="test", key="h.io")


async def test_answers(helper: Path) -> None:
    says(
        helper, 'echo "{\\"ServerURL\\":\\"$key\\",\\"Username\\":\\"$key\\",\\"Secret\\":\\"s\\"}"'
    )
    assert await keychain.ask(ASK) == Password(user="h.io", password="s")
    says(helper, 'echo \'{"Username":"<token>","Secret":"t"}\'')
    assert await keychain.ask(ASK) == IdentityToken(token="t")
    says(helper, "echo credentials not found in native keychain; exit 1")
    assert await keychain.ask(ASK) is None


async def test_trouble(helper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Failed, match="docker-credential-test is not installed"):
        await keychain.ask(ASK)
    says(helper, "printf 'locked \\033[31m'; exit 1")
    with pytest.raises(Failed, match=r"failed for h.io: locked \\x1b\[31m"):
        await keychain.ask(ASK)
    says(helper, "echo nonsense")
    with pytest.raises(Corrupt, match="docker-credential-test"):
        await keychain.ask(ASK)
    says(helper, "exec sleep 60")
    monkeypatch.setattr(keychain, "HELPER_TIMEOUT_S", 0.1)
    with pytest.raises(Failed, match="in time"):
        await keychain.ask(ASK)
    for name in ("../evil", "a b", "", "-x", "a;b"):
        with pytest.raises(Invalid, match="no name of a credential helper"):
            await keychain.ask(Helper(name=name, key="h.io"))


async def test_a_login_is_found_again(tmp_path: Path) -> None:
    logins = Logins(tmp_path)
    keys = Keychain([], logins=logins)
    password, token = Password(user="me", password="p:w"), IdentityToken(token="t")
    logins.keep("h.io", password)
    logins.keep("t.io", token)
    assert (tmp_path / "auth.json").stat().st_mode & 0o777 == 0o600
    assert await keys.find(domain="h.io", path="a/b") == password
    assert await keys.find(domain="t.io") == token
    logins.forget("h.io")
    assert await keys.find(domain="h.io") is None
    with pytest.raises(NotFound, match=r"no login for h.io"):
        logins.forget("h.io")


async def test_logins_of_one_stack(tmp_path: Path) -> None:
    logins = Logins(tmp_path)
    keys = Keychain([], logins=logins)
    shared, own = Password(user="all", password="1"), Password(user="shop", password="2")
    logins.keep("h.io", own, stack="shop")
    assert (tmp_path / "auth").stat().st_mode & 0o777 == 0o700
    assert await keys.find(domain="h.io") is None
    logins.keep("h.io", shared)
    assert await keys.find(domain="h.io", stack="shop") == own
    assert await keys.find(domain="h.io", stack="other") == shared
    logins.forget("h.io", stack="shop")
    assert await keys.find(domain="h.io", stack="shop") == shared


def test_what_others_wrote_stays(tmp_path: Path) -> None:
    file = tmp_path / "auth.json"
    theirs = {"auths": {"o.io": {"auth": "eDp5", "email": "x"}}, "credHelpers": {"g.io": "gcr"}}
    file.write_text(json.dumps(theirs))
    file.chmod(0o644)
    Logins(tmp_path).keep("h.io", Password(user="a", password="b"))
    assert file.stat().st_mode & 0o777 == 0o600
    Logins(tmp_path).forget("h.io")
    assert json.loads(file.read_text()) == theirs


@pytest.mark.parametrize("content", ["{", "[]", '{"auths": 3}'])
def test_a_damaged_file_is_not_overwritten(tmp_path: Path, content: str) -> None:
    file = tmp_path / "auth.json"
    file.write_text(content)
    with pytest.raises(Corrupt, match=str(file)):
        Logins(tmp_path).keep("h.io", Password(user="a", password="b"))
    assert file.read_text() == content
