"""Any config.json: a container, or one line that says why not, at once, and nothing left behind."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.integration.runtime.config_json import CGROUPS, Json, configs
from tests.integration.runtime.conftest import Bundle, Runtime, base_config, call_warm, wait_until

pytestmark = [pytest.mark.root, pytest.mark.soak]
ROUNDS = 20_000 if os.environ.get("STACKER_SOAK") else 300
LONGEST_S = 1.0
BASE = base_config("x") | {"linux": base_config("x")["linux"] | {"cgroupsPath": f"{CGROUPS}/a"}}


@settings(
    max_examples=ROUNDS,
    deadline=None,
    derandomize=not os.environ.get("STACKER_SOAK"),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(config=configs(BASE))
def _rounds(runtime: Runtime, bundle: Bundle, identity: str, config: Json) -> None:
    text = json.dumps(config)
    (bundle.path / "config.json").write_text(text)
    said = bundle.path / "said"
    code, seconds = _create(runtime, str(bundle.path), identity, said)
    words = said.read_text(errors="replace")
    try:
        assert seconds < LONGEST_S, text
        for sign in ("Traceback", "internal error", "unexpected"):
            assert sign not in words, f"{words}\n{text}"
        if code:
            assert code in (1, 126, 127), f"{code}: {words}\n{text}"
            errors = [line for line in words.splitlines() if "warning:" not in line]
            assert len(errors) == 1, f"{words}\n{text}"
    finally:
        if code == 0:
            assert call_warm("--root", str(runtime.root), "delete", "--force", identity) == 0, text
    assert not (runtime.root / identity).exists(), text
    assert _left() == [], text


def test_any_config(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    devices = _links()
    try:
        _rounds(runtime, bundle, identity)
    finally:
        for top in _tops():
            top.rmdir()
    assert _links() == devices
    wait_until(_nobody_left)


def _create(runtime: Runtime, path: str, identity: str, said: Path) -> tuple[int, float]:
    """The exit code and the processor time: what others do on the machine does not count."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    arguments = ("--root", str(runtime.root), "create", "--bundle", path, identity)
    with said.open("w") as out:
        code = call_warm(*arguments, stdout=out.fileno(), stderr=out.fileno())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return code, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _tops() -> list[Path]:
    return [path for path in Path("/sys/fs/cgroup").glob(f"*{CGROUPS}") if path.is_dir()]


def _left() -> list[Path]:
    """Parents of a cgroup stay, as runc leaves them; the container's own goes."""
    for top in _tops():
        for path in sorted(top.rglob("*"), reverse=True):
            if path.is_dir() and path.parent.name != CGROUPS[1:]:
                path.rmdir()
        for path in top.glob("a"):
            # the parent of the deeper ones, which is a container's own in other rounds
            path.rmdir()
    return [path for top in _tops() for path in top.iterdir() if path.is_dir()]


def _links() -> list[str]:
    return sorted(os.listdir("/sys/class/net"))


def _nobody_left() -> bool:
    """Killed inits come to us, the subreaper."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        if pid == 0:
            return False
