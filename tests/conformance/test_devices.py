"""Default devices, `linux.devices` and the links in /dev."""

from __future__ import annotations

import pytest

from tests.conformance.conftest import Case

pytestmark = pytest.mark.root
DEFAULT = {
    "/dev/null": [1, 3],
    "/dev/zero": [1, 5],
    "/dev/full": [1, 7],
    "/dev/random": [1, 8],
    "/dev/urandom": [1, 9],
    "/dev/tty": [5, 0],
}


def test_default_devices(case: Case) -> None:
    """config-linux.md, "Default Devices": null, zero, full, random, urandom, tty."""
    seen = case.see(*(f"stat {path}" for path in DEFAULT), "write /dev/null x", "write /dev/full x")
    for path, number in DEFAULT.items():
        status = seen[f"stat {path}"]
        assert (status["kind"], status["device"]) == ("c", number), path
        assert status["mode"] == 0o666, path
    assert seen["write /dev/null x"] == 1
    assert seen["write /dev/full x"] == {"errno": 28}


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("/dev/fd", "/proc/self/fd"),
        ("/dev/stdin", "/proc/self/fd/0"),
        ("/dev/stdout", "/proc/self/fd/1"),
        ("/dev/stderr", "/proc/self/fd/2"),
    ],
)
def test_dev_links(case: Case, link: str, target: str) -> None:
    """runtime.md, "Linux runtime": dev symbolic links that the runtime MUST make."""
    status = case.one(f"stat {link}")
    assert (status["kind"], status["target"]) == ("link", target)


def test_ptmx(case: Case) -> None:
    """config-linux.md, "Default Devices": /dev/ptmx is the container's own multiplexer."""
    case.mount(
        "/dev/pts",
        type="devpts",
        source="devpts",
        options=["newinstance", "ptmxmode=0666", "mode=0620"],
    )
    status = case.one("stat /dev/ptmx")
    assert status["kind"] == "link"
    assert status["target"].lstrip("/").removeprefix("dev/") == "pts/ptmx"


@pytest.mark.parametrize(
    ("kind", "numbers"), [("c", [1, 3]), ("b", [7, 200]), ("u", [1, 5]), ("p", [0, 0])]
)
def test_listed_devices(case: Case, kind: str, numbers: list[int]) -> None:
    """config-linux.md, "Devices": type, path, numbers, mode and owner as listed."""
    device = {"path": "/dev/deep/one", "type": kind, "fileMode": 0o640, "uid": 7, "gid": 8}
    if kind != "p":
        device |= {"major": numbers[0], "minor": numbers[1]}
    case.linux["devices"] = [device]
    status = case.one("stat /dev/deep/one")
    assert status["kind"] == {"u": "c"}.get(kind, kind)
    assert (status["mode"], status["uid"], status["gid"]) == (0o640, 7, 8)
    if kind != "p":
        assert status["device"] == numbers


def test_a_listed_device_may_lie_anywhere(case: Case) -> None:
    """config-linux.md, "Devices": `path` is a full path inside the container."""
    case.linux["devices"] = [{"path": "/data/null", "type": "c", "major": 1, "minor": 3}]
    assert case.one("stat /data/null")["device"] == [1, 3]


@pytest.mark.differs(
    runc="1.1 takes whatever file is there for a device that is listed",
    crun="1.8 takes whatever file is there for a device that is listed",
)
def test_a_file_in_the_place_of_a_device_is_an_error(case: Case) -> None:
    """config-linux.md, "Devices": the runtime must say so where something else is there."""
    (case.rootfs / "data/null").write_text("a file of the image")
    case.linux["devices"] = [{"path": "/data/null", "type": "c", "major": 1, "minor": 3}]
    assert "/data/null" in case.refused()


@pytest.mark.differs(
    crun="1.8 makes a file of another kind for a device type that it does not know"
)
def test_an_unknown_device_type_is_refused(case: Case) -> None:
    """config-linux.md, "Devices": `type` is c, b, u or p."""
    case.linux["devices"] = [{"path": "/dev/x", "type": "x", "major": 1, "minor": 3}]
    case.refused()


def test_devices_are_allowed_by_list(case: Case) -> None:
    """config-linux.md, "Allowed Device list": deny all, then allow; the default ones stay."""
    case.linux["devices"] = [
        {"path": "/dev/allowed", "type": "c", "major": 1, "minor": 5},
        {"path": "/dev/denied", "type": "c", "major": 10, "minor": 237},
    ]
    case.limit(
        devices=[
            {"allow": False, "access": "rwm"},
            {"allow": True, "type": "c", "major": 1, "minor": 5, "access": "r"},
        ]
    )
    seen = case.see("write /dev/null x", "read /dev/denied")
    assert seen["write /dev/null x"] == 1
    assert seen["read /dev/denied"] == {"errno": 1}
