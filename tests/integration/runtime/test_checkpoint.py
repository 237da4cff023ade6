"""checkpoint and restore without CRIU, or with one that this kernel is too new for: an error.

Where CRIU works the round is made in full.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.runtime.conftest import Bundle, Runtime, wait_until

pytestmark = pytest.mark.root


def criu_works() -> bool:
    program = shutil.which("criu")
    return program is not None and (
        subprocess.run([program, "check"], capture_output=True, check=False).returncode == 0
    )


def test_without_criu_it_is_said(
    runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path
) -> None:
    bundle.write("/bin/sleep", "100")
    runtime.ok("run", "--detach", "--bundle", str(bundle.path), identity)
    absent = ("--criu", str(tmp_path / "nosuch"))
    for verb, name in (("checkpoint", identity), ("restore", f"{identity}-new")):
        flags = ("--bundle", str(bundle.path)) if verb == "restore" else ()
        done = runtime.call(*absent, verb, *flags, "--image-path", str(tmp_path / "i"), name)
        assert done.returncode == 1
        assert f"{verb} needs CRIU: there is no program {tmp_path}/nosuch" in done.stderr
    assert runtime.state(identity)["status"] == "running"
    assert not (tmp_path / "i").exists()


def test_a_failure_of_criu_leaves_all_as_it_was(
    runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path
) -> None:
    bundle.write("/bin/sleep", "100")
    runtime.ok("run", "--detach", "--bundle", str(bundle.path), identity)
    failing = ("--criu", "/bin/false")
    images = str(tmp_path / "images")
    done = runtime.call(*failing, "checkpoint", "--image-path", images, identity)
    assert done.returncode == 1
    assert f"criu dump ended with 1: it wrote no log (see {images}/dump.log)" in done.stderr
    assert runtime.state(identity)["status"] == "running"
    runtime.ok("delete", "--force", identity)
    done = runtime.call(
        *failing, "restore", "--image-path", images, "--bundle", str(bundle.path),
        identity,
    )  # fmt: skip
    assert "criu restore ended with 1: it wrote no log" in done.stderr
    assert runtime.ok("list", "-q") == ""


def test_only_of_what_runs(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    runtime.ok("create", "--bundle", bundle.write("/bin/true"), identity)
    done = runtime.call("checkpoint", identity)
    assert f"container {identity} cannot be checkpointed in the created state" in done.stderr


@pytest.mark.skipif(not criu_works(), reason="CRIU is not here, or not for this kernel")
def test_a_counter_goes_on_where_it_was(
    runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path
) -> None:
    script = "i=0; while :; do i=$((i+1)); echo $i > /count; sleep 0.02; done"
    path = bundle.shell(script)
    count = bundle.rootfs / "count"

    def counted() -> int:
        return int(count.read_text().strip() or 0) if count.exists() else 0

    runtime.ok("run", "--detach", "--bundle", path, identity)
    wait_until(lambda: counted() > 5)
    images = ("--image-path", str(tmp_path / "images"))
    runtime.ok("checkpoint", *images, identity)
    assert runtime.call("state", identity).returncode != 0
    last = counted()
    runtime.ok("restore", "--detach", *images, "--bundle", path, identity)
    assert runtime.state(identity)["status"] == "running"
    wait_until(lambda: counted() > last)
