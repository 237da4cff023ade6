"""A memory limit that the making of a container runs into, and the OOM killer forbidden."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.cgroups.detect import detect
from tests.integration.runtime.conftest import Bundle, Runtime

pytestmark = pytest.mark.root

MEBIBYTE = 1 << 20
FORBIDDEN = {"disableOOMKiller": True}


@pytest.fixture
def hierarchy() -> Path:
    holder = detect().holder("memory")
    if holder is None or holder.version != 1:
        pytest.skip("version 2 of cgroups always has an OOM killer")
    return Path(holder.mountpoint)


def test_too_little_for_init_is_an_error(
    runtime: Runtime, bundle: Bundle, identity: str, hierarchy: Path
) -> None:
    """It would sleep until there is more, and `create` with it."""
    bundle.config["linux"]["resources"] = {"memory": {"limit": 4096, **FORBIDDEN}}
    done = runtime.call("create", "--bundle", bundle.write("/bin/true"), identity)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "memory" in done.stderr
    assert not (runtime.root / identity).exists()


def test_the_container_is_spared(
    runtime: Runtime, bundle: Bundle, identity: str, hierarchy: Path
) -> None:
    bundle.config["linux"]["resources"] = {"memory": {"limit": 64 * MEBIBYTE, **FORBIDDEN}}
    runtime.ok("create", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    control = (hierarchy / identity / "memory.oom_control").read_text()
    assert "oom_kill_disable 1" in control
    runtime.ok("start", identity)
    runtime.ok("delete", "--force", identity)
