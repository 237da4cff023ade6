"""Whole bundles of telling services, as files: STACKER_UPDATE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from stacker.base.id_range import IdRange
from stacker.bundle.inputs import ContainerInputs, DeviceNode
from stacker.bundle.spec import build_spec
from stacker.stack.model.service import Service

from .worlds import FACTS, IMAGE, INPUTS, service

GOLDEN = Path(__file__).parents[3] / "golden" / "bundle"

CASES: dict[str, tuple[Service, ContainerInputs]] = {
    "plain": (service(), INPUTS),
    "limited": (
        service(
            user="app:audio",
            cpus=0.5,
            cpuset="0-1",
            mem_limit=256 << 20,
            pids_limit=100,
            shm_size=8 << 20,
            ulimits={"nofile": {"soft": 10, "hard": 20}, "memlock": {"soft": -1, "hard": -1}},
            cap_drop=("ALL",),
            cap_add=("CAP_NET_BIND_SERVICE",),
            read_only=True,
            volumes=({"type": "tmpfs", "target": "/tmp", "tmpfs": {"size": 1 << 20}},),
        ),
        INPUTS,
    ),
    "with-files": (
        service(
            command=("run",),
            environment={"A": "1"},
            working_dir="/work",
            group_add=("audio",),
            volumes=(
                {"type": "bind", "source": "/srv/conf", "target": "/conf", "read_only": True},
                {"type": "volume", "source": "data", "target": "/data"},
            ),
            devices=({"source": "/dev/fuse", "target": "/dev/fuse"},),
            sysctls={"net.core.somaxconn": "1024"},
        ),
        replace(
            INPUTS,
            volumes={"/conf": "/srv/conf", "/data": "/var/lib/stacker/volumes/shop_data/_data"},
            devices=(DeviceNode(path="/dev/fuse", kind="c", major=10, minor=229, mode=0o666),),
        ),
    ),
    "privileged-on-the-host": (
        service(privileged=True, network_mode="host", pid="host", ipc="host", uts="host"),
        replace(INPUTS, network_namespace=None),
    ),
    "ids-of-its-own": (
        service(
            userns_mode="auto",
            user="app",
            volumes=(
                {"type": "bind", "source": "/srv/conf", "target": "/conf"},
                {"type": "volume", "source": "data", "target": "/data"},
            ),
        ),
        replace(
            INPUTS,
            user_namespace="/run/stacker/userns/0123",
            ids=IdRange(2**31, 65536),
            volumes={"/conf": "/srv/conf", "/data": "/var/lib/stacker/volumes/shop_data/_data"},
        ),
    ),
    "shell": (
        service(tty=True, stdin_open=True, entrypoint=(), command=("/bin/sh",)),
        replace(INPUTS, console_size=(40, 120)),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_bundle_is_as_the_file_says(name: str) -> None:
    built, inputs = CASES[name]
    spec = build_spec(built, IMAGE, FACTS, inputs)
    if name != "plain":
        # hundreds of lines that are the same each time
        _shorten(cast("dict[str, Any]", spec["linux"]))
    text = json.dumps(spec, indent=1, sort_keys=True) + "\n"
    path = GOLDEN / f"{name}.json"
    if os.environ.get("STACKER_UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def _shorten(linux: dict[str, Any]) -> None:
    if "seccomp" in linux:
        linux["seccomp"] = f"{len(linux['seccomp']['syscalls'])} rules"


def test_no_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(CASES)
