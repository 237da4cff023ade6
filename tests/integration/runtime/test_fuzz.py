"""Any config.json: a container, or one line that says why not, at once, and nothing left behind."""

from __future__ import annotations

import json
import os
import resource
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.integration.runtime.config_json import CGROUPS, LEAVES, Json, configs
from tests.integration.runtime.conftest import Bundle, Runtime, base_config, call_warm

pytestmark = [pytest.mark.root, pytest.mark.soak]
ROUNDS = 20_000 if os.environ.get("STACKER_SOAK") else 300
LONGEST_S = 1.0
HANGS_S = 300
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
    _reap()
    assert not (runtime.root / identity).exists(), text
    assert _left() == [], text


def test_any_config(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    links = _links()
    try:
        _rounds(runtime, bundle, identity)
    finally:
        # parents of a container's cgroup stay, as runc leaves them
        for top in _tops():
            for path in sorted(top.rglob("*"), reverse=True):
                if path.is_dir():
                    path.rmdir()
            top.rmdir()
    assert _links() == links


def _create(runtime: Runtime, path: str, identity: str, said: Path) -> tuple[int, float]:
    """The exit code and the processor time: what others do on the machine does not count."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    arguments = ("--root", str(runtime.root), "create", "--bundle", path, identity)
    with said.open("w") as out:
        output = out.fileno()
        code = call_warm(*arguments, stdout=output, stderr=output, before=_end_in_time)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return code, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _end_in_time() -> None:
    """Of a `create` that hangs; it may have been asked for a small share of a processor."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(HANGS_S)


def _tops() -> list[Path]:
    return [path for path in Path("/sys/fs/cgroup").glob(f"*{CGROUPS}") if path.is_dir()]


def _left() -> list[Path]:
    return [top / leaf for top in _tops() for leaf in LEAVES if (top / leaf).exists()]


def _links() -> list[str]:
    return sorted(os.listdir("/sys/class/net"))


def _reap() -> None:
    """Killed inits come to us, the subreaper."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
