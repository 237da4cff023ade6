"""R8: nothing is inheritable or ambient that was not asked for (CVE-2022-29162, CVE-2022-27649)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.runtime.conftest import Bundle, Runtime

pytestmark = pytest.mark.root


def sets(status: str) -> dict[str, int]:
    pairs = (line.split(":") for line in status.splitlines() if line.startswith("Cap"))
    return {key: int(value, 16) for key, value in pairs}


@pytest.fixture
def caller() -> list[str]:
    """One whose own inheritable and ambient sets are not empty."""
    if shutil.which("setpriv") is None:
        pytest.skip("needs setpriv of util-linux")
    return ["setpriv", "--inh-caps=+net_raw,+chown", "--ambient-caps=+net_raw,+chown"]


@pytest.mark.parametrize("uid", [0, 1000])
def test_run_and_exec(
    runtime: Runtime, bundle: Bundle, identity: str, caller: list[str], uid: int, tmp_path: Path
) -> None:
    """R8: of init, of an exec'd process, and of one with --cap."""
    path = bundle.write("/bin/sleep", "100", user={"uid": uid, "gid": uid})

    def go(*arguments: str) -> str:
        with (tmp_path / "out").open("w+") as out:
            subprocess.run(
                [*caller, *runtime.argv(*arguments)],
                stdin=subprocess.DEVNULL, stdout=out, check=True, timeout=20,
            )  # fmt: skip
            out.seek(0)
            return out.read()

    go("run", "--detach", "--bundle", path, identity)
    found = [Path(f"/proc/{runtime.state(identity)['pid']}/status").read_text()]
    found.append(go("exec", identity, "cat", "/proc/self/status"))
    found.append(go("exec", "--cap", "CAP_NET_RAW", identity, "cat", "/proc/self/status"))
    for status in found:
        assert sets(status)["CapInh"] == 0
        assert sets(status)["CapAmb"] == 0
    net_raw = 1 << 13
    assert bool(sets(found[1])["CapBnd"] & net_raw) is False
    assert bool(sets(found[2])["CapBnd"] & net_raw) is True
