"""E6: what the default profile answers to every system call, by all three ABIs, as a golden file.

`STACKER_GOLDEN=1` writes it anew; read the difference before it is kept.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path

import pytest

from stacker.bundle.inputs import ContainerInputs
from stacker.bundle.spec import build_spec
from stacker.drivers.host.probe import probe
from stacker.oci.image_config import ImageConfig
from stacker.stack.model.service import Service
from tests.integration.runtime.conftest import Runtime, make_rootfs

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="three ABIs only there"),
]
GOLDEN = Path(__file__).parents[2] / "golden/calls/default.txt"
SOURCE = Path(__file__).with_name("calls.c")


@pytest.fixture(scope="session")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("calls") / "calls"
    command = ["gcc", "-static", "-O1", "-Wall", "-Werror", "-o", str(program), str(SOURCE)]
    subprocess.run(command, check=True, timeout=60)
    return program


def test_every_call(runtime: Runtime, identity: str, tmp_path: Path, calls: Path) -> None:
    rootfs = make_rootfs(tmp_path / "rootfs")
    (rootfs / "calls").write_bytes(calls.read_bytes())
    (rootfs / "calls").chmod(0o755)
    inputs = ContainerInputs(
        container_id=identity,
        name="shop-web-1",
        stack="shop",
        hostname="web",
        rootfs=str(rootfs),
        cgroups_path=f"/{identity}",
        network_namespace=None,
    )
    service = Service.model_validate(
        {"image": "x", "command": ("/calls",), "network_mode": "none", "init": False}
    )
    image = ImageConfig(os="linux", architecture="amd64", env=("PATH=/bin",), cmd=("/calls",))
    spec = build_spec(service, image, probe(), inputs)
    (tmp_path / "config.json").write_text(json.dumps(spec))
    seen = runtime.ok("run", "--bundle", str(tmp_path), identity)
    if os.environ.get("STACKER_GOLDEN"):
        GOLDEN.write_text(seen)
    assert differences(table(seen), table(GOLDEN.read_text())) == []


def table(text: str) -> dict[str, str]:
    pairs = (line.partition(" ") for line in text.splitlines())
    return {abi: letters for abi, _, letters in pairs}


def differences(seen: dict[str, str], golden: dict[str, str]) -> list[str]:
    """An older kernel does not know every call that the profile lets through."""
    return [
        f"{abi} {number}: {found} instead of {expected}"
        for abi, letters in golden.items()
        for number, (found, expected) in enumerate(zip(seen[abi], letters, strict=True))
        if found != expected and (found, expected) != ("N", ".")
    ]
