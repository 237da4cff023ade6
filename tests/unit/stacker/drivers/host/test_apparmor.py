"""The default AppArmor profile: its text compiles, and its name follows its text."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from stacker.drivers.host import apparmor

PARSER = shutil.which("apparmor_parser", path="/usr/sbin:/sbin")


@pytest.mark.skipif(PARSER is None, reason="needs Debian's apparmor")
@pytest.mark.parametrize("abi", [False, True])
def test_the_text_compiles(abi: bool) -> None:
    name, text = apparmor.profile_text(abi=abi and apparmor.ABI.exists())
    assert PARSER is not None
    done = subprocess.run(
        [PARSER, "--skip-kernel-load", "--skip-cache", "--names"],
        input=text, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [name]


def test_the_name_is_of_the_text() -> None:
    with_abi, without = (apparmor.profile_text(abi=abi) for abi in (True, False))
    assert with_abi[0] != without[0]
    for name, text in (with_abi, without):
        assert name.startswith("stacker-default-")
        assert "NAME" not in text
        assert f"profile {name} " in text
        assert f"peer={name}" in text
    assert apparmor.profile_text(abi=True) == with_abi


def test_where_it_is_off_info_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apparmor, "ENABLED", tmp_path / "enabled")
    assert str(apparmor.load_profile()) == "unavailable (AppArmor is off on this host)"
    (tmp_path / "enabled").write_text("N\n")
    assert not apparmor.load_profile().enabled


def test_a_loaded_profile_is_not_loaded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, _ = apparmor.profile_text(abi=apparmor.ABI.exists())
    (tmp_path / "enabled").write_text("Y\n")
    (tmp_path / "profiles").write_text(f"a (b) c (enforce)\n{name} (enforce)\n")
    monkeypatch.setattr(apparmor, "ENABLED", tmp_path / "enabled")
    monkeypatch.setattr(apparmor, "LOADED", tmp_path / "profiles")
    assert apparmor.loaded_profiles() == {"a (b) c", name}
    assert str(apparmor.load_profile()) == name


@pytest.mark.skipif(apparmor.is_enabled(), reason="AppArmor is on here: the load succeeds")
@pytest.mark.skipif(PARSER is None, reason="needs Debian's apparmor")
def test_a_load_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This kernel has no AppArmor, so the real parser's real load is refused."""
    (tmp_path / "enabled").write_text("Y\n")
    monkeypatch.setattr(apparmor, "ENABLED", tmp_path / "enabled")
    monkeypatch.setattr(apparmor, "LOADED", tmp_path / "absent")
    found = apparmor.load_profile()
    assert found.enabled
    assert found.profile is None
    assert str(found).startswith("unavailable (apparmor_parser ended with ")
