"""`root`, `hostname`, `domainname`, `annotations` and the shape of the bundle."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conformance.conftest import Case

pytestmark = pytest.mark.root
EROFS = 30


def test_the_root_is_the_bundles(case: Case) -> None:
    """config.md, "Root": `path` is relative to the bundle and becomes `/`."""
    (case.rootfs / "etc/mark").write_text("here")
    assert case.one("read /etc/mark") == "here"
    assert "bundle" not in case.one("list /")


def test_an_absolute_root(case: Case, tmp_path: Path) -> None:
    """config.md, "Root": `path` may be absolute."""
    case.rootfs.rename(tmp_path / "elsewhere")
    case.config["root"]["path"] = str(tmp_path / "elsewhere")
    assert case.one("pid") == 1


def test_a_root_that_is_not_there_is_refused(case: Case) -> None:
    """config.md, "Root": a directory MUST exist at the path."""
    case.config["root"]["path"] = "nosuch"
    case.refused()


def test_readonly_root(case: Case) -> None:
    """config.md, "Root": `readonly` makes the root, and not the mounts on it, read-only."""
    case.config["root"]["readonly"] = True
    seen = case.see("create /etc/new x", "create /dev/new x")
    assert seen["create /etc/new x"] == {"errno": EROFS}
    assert seen["create /dev/new x"] == 1


def test_writable_root(case: Case) -> None:
    """config.md, "Root": `readonly` defaults to false."""
    assert case.one("create /etc/new x") == 1
    assert (case.rootfs / "etc/new").read_text() == "x"


def test_hostname(case: Case) -> None:
    """config.md, "Hostname": as seen by processes inside."""
    case.config["hostname"] = "inside"
    assert case.one("hostname") == "inside"


@pytest.mark.differs(runc="1.1 has no domainname")
def test_domainname(case: Case) -> None:
    """config.md, "Domainname": as seen by processes inside."""
    case.config["domainname"] = "inside.example"
    assert case.one("domainname") == "inside.example"


def test_a_hostname_wants_its_namespace(case: Case) -> None:
    """config.md, "Hostname": without a uts namespace of its own it would change the host's."""
    case.config["hostname"] = "conformance-must-not-show"
    case.without_namespace("uts")
    before = Path("/proc/sys/kernel/hostname").read_text()
    try:
        case.refused()
    finally:
        assert Path("/proc/sys/kernel/hostname").read_text() == before


def test_annotations_are_in_the_state(case: Case) -> None:
    """config.md, "Annotations": kept, as the state says them; unknown ones are no error."""
    case.config["annotations"] = {"com.example.key": "value", "com.example.empty": ""}
    case.start()
    assert case.runtime.state(case.identity)["annotations"]["com.example.key"] == "value"


def test_unknown_members_are_ignored(case: Case) -> None:
    """config.md, "Extensibility": implementations MUST NOT fail on unknown properties."""
    case.config["com.example.unknown"] = {"a": 1}
    case.process["unknown"] = True
    assert case.one("pid") == 1


@pytest.mark.parametrize(
    "version",
    [
        "1.0.0",
        "1.1.0",
        pytest.param("1.2.0", marks=pytest.mark.differs(crun="1.8 knows versions up to 1.0.2")),
        pytest.param("2.0.0", marks=pytest.mark.differs(runc="1.1 does not look at the version")),
        pytest.param("", marks=pytest.mark.differs(runc="1.1 does not look at the version")),
    ],
)
def test_version(case: Case, version: str) -> None:
    """config.md, "Specification version": SemVer; another major version MUST be an error."""
    case.config["ociVersion"] = version
    if version.startswith("1."):
        assert case.one("pid") == 1
    else:
        case.refused()


def test_a_bundle_without_config(case: Case) -> None:
    """bundle.md, "Filesystem Bundle": config.json MUST be there."""
    case.write()
    (case.bundle / "config.json").unlink()
    assert case.runtime.call("run", "--bundle", str(case.bundle), case.identity).returncode != 0


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"ociVersion": 1}'])
def test_a_config_that_is_none(case: Case, text: str) -> None:
    """config.md, "Configuration": a JSON object of the schema."""
    (case.bundle / "config.json").write_text(text)
    assert case.runtime.call("run", "--bundle", str(case.bundle), case.identity).returncode != 0


def test_the_config_of_create_counts(case: Case) -> None:
    """runtime.md, "Create": changes to config.json after it MUST have no effect."""
    path = case.write("exit 3")
    case.runtime.ok("create", "--bundle", path, case.identity)
    config = json.loads((case.bundle / "config.json").read_text())
    config["process"]["args"] = ["/see", "+", "exit", "4"]
    (case.bundle / "config.json").write_text(json.dumps(config))
    pid = case.runtime.state(case.identity)["pid"]
    case.runtime.ok("start", case.identity)
    assert case.code_of(pid) == 3
