"""Images from a real registry and from files: what `up`, `pull`, `load` and `images` do with them.

The image has five layers, with whiteouts, links, extended attributes and a setuid program; its
trees are compared with umoci's in tests/integration/images.
"""

from __future__ import annotations

import os
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.registries.debian import DebianRegistry, debian_registry, run
from tests.registries.made import member, rich_layers, tar_of, umoci_layout
from tests.support.supervisor import Stacker

pytestmark = pytest.mark.root

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianRegistry]:
    with debian_registry(tmp_path_factory.mktemp("registry") / "plain") as running:
        yield running


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, busybox_tar: Path) -> Path:
    """Two versions of an image, as OCI layouts `one:t` and `two:t`."""
    where = tmp_path_factory.mktemp("made")
    layers = (busybox_tar.read_bytes(), *rich_layers())
    umoci_layout(where / "one", layers)
    umoci_layout(where / "two", (*layers, tar_of(member("etc/version", b"two\n"))))
    return where


def pushed(registry: DebianRegistry, layout: Path, name: str) -> str:
    reference = f"{registry.host}/{name}"
    registry.skopeo(f"oci:{layout}:t", f"docker://{reference}")
    return reference


def digest_of(registry: DebianRegistry, repository: str, tag: str) -> str:
    url = f"http://{registry.host}/v2/{repository}/manifests/{tag}"
    request = urllib.request.Request(url, method="HEAD", headers={"Accept": MANIFEST})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.headers["Docker-Content-Digest"]


def stack(**images: str) -> str:
    lines = ["name: pulled", "services:"]
    for service, image in images.items():
        lines += [
            f"  {service}:",
            f"    image: {image}",
            "    command: [sleep, infinity]",
            "    init: true",
        ]
    return "\n".join(lines)


def listed(stacker: Stacker) -> dict[str, dict[str, Any]]:
    """The images by reference."""
    return {
        reference: row
        for row in stacker.json("images")["images"]
        for reference in row["references"]
    }


def looks_right(stacker: Stacker) -> None:
    def sh(script: str) -> str:
        return stacker.ok("exec", "-T", "-p", "pulled", "app", "sh", "-c", script)

    assert sh("stat -c '%a %h %s' /bin/su /bin/su-too") == "4755 2 5000\n" * 2
    assert sh("cat /etc/motd; readlink /lib") == "replaced\nusr/lib\n"
    assert sh("ls /usr/lib/old; ls -A /var; ls /etc/gone 2>&1 | wc -l") == "c\n1\n"
    assert sh("pwd; echo $COLOUR") == "/var\nblue\n"
    pid = stacker.containers()["pulled-app-1"]["pid"]
    assert os.getxattr(f"/proc/{pid}/root/etc/blue", "user.colour") == b"blue"


def test_up_pulls_and_runs(stacker: Stacker, registry: DebianRegistry, made: Path) -> None:
    reference = pushed(registry, made / "one", "first/app:1")
    done = stacker("up", "-d", "--wait", str(stacker.write(stack(app=reference))))
    assert done.returncode == 0, done.stderr
    assert f"pulling {reference}" in done.stderr
    looks_right(stacker)
    row = listed(stacker)[reference]
    assert row["layers"] == 5
    assert row["size_bytes"] > 1_000_000
    assert reference.rpartition(":")[0] in stacker.ok("images")


def test_zstd_and_by_digest(
    stacker: Stacker, registry: DebianRegistry, made: Path, tmp_path: Path
) -> None:
    run("skopeo", "copy", "-q", f"oci:{made / 'one'}:t", f"dir:{tmp_path}/plain")
    run(
        *("skopeo", "copy", "-q", "--dest-compress", "--dest-compress-format", "zstd"),
        *(f"dir:{tmp_path}/plain", f"oci:{tmp_path}/zstd:t"),
    )
    pushed(registry, tmp_path / "zstd", "packed/app:1")
    digest = digest_of(registry, "packed/app", "1")
    reference = f"{registry.host}/packed/app@{digest}"
    stacker.up(stack(app=reference))
    looks_right(stacker)
    assert reference in listed(stacker)


def test_pull_fetches_and_touches_nothing(
    stacker: Stacker, registry: DebianRegistry, made: Path
) -> None:
    reference = pushed(registry, made / "one", "early/app:1")
    path = str(stacker.write(stack(app=reference)))
    done = stacker("pull", path)
    assert done.returncode == 0, done.stderr
    assert reference in listed(stacker)
    assert stacker.containers() == {}
    stacker.ok("up", "-d", "--wait", "--pull", "never", path)


def test_a_tag_that_moved_recreates_its_service_only(
    stacker: Stacker, registry: DebianRegistry, made: Path
) -> None:
    app = pushed(registry, made / "one", "moving/app:1")
    other = pushed(registry, made / "one", "moving/other:1")
    text = stack(app=app, other=other)
    stacker.up(text)
    before = stacker.containers()

    pushed(registry, made / "two", "moving/app:1")
    stacker.up(text)
    assert stacker.containers()["pulled-app-1"]["id"] == before["pulled-app-1"]["id"]
    stacker.up(text, "--pull", "always")
    after = stacker.containers()
    assert after["pulled-app-1"]["id"] != before["pulled-app-1"]["id"]
    assert after["pulled-other-1"]["pid"] == before["pulled-other-1"]["pid"]
    version = stacker.ok("exec", "-T", "-p", "pulled", "app", "cat", "/etc/version")
    assert version == "two\n"


@pytest.mark.parametrize("kind", ["oci-directory", "oci-tar", "docker-archive", "stdin"])
def test_load(stacker: Stacker, made: Path, tmp_path: Path, kind: str) -> None:
    name = "example.org/loaded/app:1"
    targets = {
        "oci-directory": f"oci:{tmp_path}/layout:{name}",
        "oci-tar": f"oci-archive:{tmp_path}/layout:{name}",
        "docker-archive": f"docker-archive:{tmp_path}/layout:{name}",
        "stdin": f"docker-archive:{tmp_path}/layout:{name}",
    }
    run("skopeo", "copy", "-q", f"oci:{made / 'one'}:t", targets[kind])
    if kind == "stdin":
        done = stacker("load", stdin=(tmp_path / "layout").read_bytes())
    elif kind == "docker-archive":
        done = stacker("load", "-i", str(tmp_path / "layout"))
    else:
        done = stacker("load", str(tmp_path / "layout"))
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == f"loaded {name}"
    stacker.up(stack(app=name), "--pull", "never")
    looks_right(stacker)


def test_a_file_that_is_no_image_is_named(stacker: Stacker, tmp_path: Path) -> None:
    junk = tmp_path / "junk.tar"
    junk.write_bytes(os.urandom(4096))
    done: subprocess.CompletedProcess[str] = stacker("load", str(junk))
    assert done.returncode == 1
    assert f"load {junk}: this is not a tar archive" in done.stderr
    assert "Traceback" not in done.stderr
