"""The very config.json that stacker writes, run by each of the three runtimes."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest

from tests.integration.runtime.conftest import Bundle, Runtime

pytestmark = pytest.mark.root
GOLDEN = Path(__file__).parents[2] / "golden/bundle/plain.json"


def test_stackers_own_bundle_runs(any_runtime: Runtime, bundle: Bundle, identity: str) -> None:
    config = json.loads(GOLDEN.read_text())
    config["root"]["path"] = "rootfs"
    config["linux"]["cgroupsPath"] = f"/{identity}"
    for namespace in config["linux"]["namespaces"]:
        namespace.pop("path", None)
    for mount in config["mounts"]:
        if mount["type"] == "bind":
            source = bundle.path / Path(mount["source"]).name
            source.write_text(f"this is {source.name}\n")
            mount["source"] = str(source)
    if any_runtime.name != "builtin":
        # the others fail where a hard limit cannot be raised; ours caps it and says so
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        for limit in config["process"]["rlimits"]:
            limit["hard"] = min(limit["hard"], most)
            limit["soft"] = min(limit["soft"], limit["hard"])
    bundle.config = config
    script = (
        "cat /etc/hosts; hostname; grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status; "
        "ulimit -c; cat /proc/sys/net/ipv4/ip_unprivileged_port_start; mkdir /srv/new && echo made"
    )
    process = {"user": {"uid": 0, "gid": 0}, "cwd": "/", "args": ["/bin/sh", "-c", script]}
    (bundle.rootfs / "srv").mkdir()
    done = any_runtime.call("run", "--bundle", bundle.write(**process), identity)
    lines = done.stdout.splitlines()
    assert lines[:2] == ["this is hosts", "web"], done.stderr
    seen = dict(line.split(":\t") for line in lines[2:5])
    assert (seen["NoNewPrivs"], seen["Seccomp"]) == ("1", "2")
    # the eleven of the default profile
    assert int(seen["CapEff"], 16).bit_count() == 11
    assert lines[5:] == ["0", "0", "made"]
