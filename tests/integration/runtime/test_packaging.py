"""packaging/stacker-runtime: found by its place, isolated from the caller's directory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TREE = Path(__file__).parents[3]


@pytest.fixture(params=["copied", "by reference"])
def script(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An environment as pip makes it, with the package in it or named by a .pth file."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = tmp_path / "venv/lib" / version / "site-packages"
    site.mkdir(parents=True)
    (tmp_path / "venv/bin").mkdir()
    (tmp_path / "venv/pyvenv.cfg").write_text(f"home = {os.path.dirname(sys.executable)}\n")
    (tmp_path / "venv/bin/python3").symlink_to(os.path.realpath(sys.executable))
    if request.param == "copied":
        shutil.copytree(TREE / "runtime", site / "runtime")
    else:
        (site / "_stacker.pth").write_text(f"{TREE}\n")
    target = tmp_path / "venv/bin/stacker-runtime"
    shutil.copy2(TREE / "packaging/stacker-runtime", target)
    return target


def test_it_runs_and_takes_nothing_from_the_callers_directory(script: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    (trap / "runtime").mkdir(parents=True)
    for name in ("runtime/__init__.py", "runtime/cli.py", "json.py", "os.py", "sitecustomize.py"):
        (trap / name).write_text("raise SystemExit('taken from the caller')\n")
    link = tmp_path / "link"
    link.symlink_to(script)
    for command in (script, link):
        done = subprocess.run(
            [command, "--version"],
            cwd=trap, env={"PYTHONPATH": str(trap), "PATH": "/usr/bin:/bin"},
            capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
        assert done.stdout.startswith("stacker-runtime version"), done.stderr
        assert done.returncode == 0
