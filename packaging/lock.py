"""Write ``requirements.lock`` and ``requirements-dev.lock``: the exact version of everything.

pip resolves (``pip install --dry-run --report``) for this interpreter; no index address is
written, so the files hold wherever pip is told to look. No hashes: each platform and Python
version takes another wheel of the same version.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
HEADER = "# Made by `make lock`; do not edit.\n"


def groups(project: dict[str, object], name: str) -> list[str]:
    """Return the requirements of a dependency group, included groups and all (PEP 735)."""
    table = project["dependency-groups"]
    assert isinstance(table, dict)
    found: list[str] = []
    for item in table[name]:
        found += groups(project, item["include-group"]) if isinstance(item, dict) else [item]
    return found


def resolve(requirements: list[str]) -> str:
    """Return one ``name==version`` line for each distribution, sorted."""
    report = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"),
            *("--ignore-installed", "--report", "-", *requirements),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    lines = [
        f"{item['metadata']['name'].lower()}=={item['metadata']['version']}"
        for item in json.loads(report.stdout)["install"]
    ]
    return HEADER + "\n".join(sorted(lines)) + "\n"


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    runtime = list(project["project"]["dependencies"])
    runtime += [*project["build-system"]["requires"], "editables"]
    (ROOT / "requirements.lock").write_text(resolve(runtime))
    (ROOT / "requirements-dev.lock").write_text(resolve(runtime + groups(project, "dev")))


if __name__ == "__main__":
    main()
