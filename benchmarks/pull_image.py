"""The images that `pull.py` has pulled: Debian with Python, nginx and redis, in six layers.

Made with debootstrap and apt, each layer the upper directory of an overlay over those below it; put
together by umoci, compressed again by skopeo. It takes some minutes and a gigabyte of memory, so
the result is kept: an OCI layout for each compression, with the tags `real` and `other`.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from account import run_to_end

sys.path.insert(0, str(Path(__file__).parents[1]))

from stacker.drivers.images import tree_archive
from stacker.oci.tree import TreeOptions

SUITE = "bookworm"
NO_SERVICES = "usr/sbin/policy-rc.d"
INSTALL = """set -e
apt-get update -qq
apt-get install -qq -y --no-install-recommends {packages}
apt-get clean
rm -rf /var/lib/apt/lists/*"""

SHARED = {
    "python": INSTALL.format(packages="python3 python3-pip python3-venv"),
    "nginx": INSTALL.format(packages="nginx"),
    "redis": INSTALL.format(packages="redis-server"),
}
"""Above the base; both images have them."""
OWN = {
    "real": {
        "app": INSTALL.format(packages="git python3-numpy python3-sqlalchemy"),
        "thinner": "rm -rf /usr/share/doc /usr/share/man /usr/share/info /usr/share/lintian",
    },
    "other": {"app": INSTALL.format(packages="python3-django")},
}


def prepare(cache: Path) -> Path:
    """The folder of the layouts `gzip` and `zstd`, made where it is not there yet."""
    layouts = cache / "layouts"
    if not layouts.is_dir():
        making = cache / "layouts.making"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        with tempfile.TemporaryDirectory(prefix="stacker-bench-image-", dir="/dev/shm") as work:
            _make(Path(work), making)
        making.rename(layouts)
    return layouts


def _make(work: Path, layouts: Path) -> None:
    layout, base = layouts / "gzip", work / "base"
    _say("debootstrap")
    run_to_end("debootstrap", "--variant=minbase", SUITE, str(base))
    (base / NO_SERVICES).write_text("#!/bin/sh\nexit 101\n")
    (base / NO_SERVICES).chmod(0o755)
    run_to_end("chroot", str(base), "apt-get", "clean")

    run_to_end("umoci", "init", "--layout", str(layout))
    run_to_end("umoci", "new", "--image", f"{layout}:shared")
    _append(layout, "shared", base, work, overlay=False)
    lower = [base]
    for name, script in SHARED.items():
        lower.append(_layer(work, name, lower, script))
        _append(layout, "shared", lower[-1], work, overlay=True)
    for image, layers in OWN.items():
        run_to_end("umoci", "tag", "--image", f"{layout}:shared", image)
        own = list(lower)
        for name, script in layers.items():
            own.append(_layer(work, f"{image}-{name}", own, script))
            _append(layout, image, own[-1], work, overlay=True)
        run_to_end("umoci", "config", "--image", f"{layout}:{image}", "--config.cmd", "bash")
        _zstd(layouts, image, work)
    run_to_end("umoci", "rm", "--image", f"{layout}:shared")
    run_to_end("umoci", "gc", "--layout", str(layout))


def _layer(work: Path, name: str, lower: Sequence[Path], script: str) -> Path:
    """What a script changes in the tree of the layers so far: an overlay's upper directory."""
    _say(name)
    upper = work / name
    with _overlay(work, upper, lower) as merged:
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "DEBIAN_FRONTEND": "noninteractive",
            "LC_ALL": "C.UTF-8",
        }
        run_to_end("chroot", str(merged), "sh", "-c", script, env=environment)
    return upper


@contextmanager
def _overlay(work: Path, upper: Path, lower: Sequence[Path]) -> Generator[Path]:
    merged, scratch = work / "merged", work / "scratch"
    for folder in (upper, merged, scratch):
        folder.mkdir()
    lowers = ":".join(str(path) for path in reversed(lower))
    options = f"lowerdir={lowers},upperdir={upper},workdir={scratch}"
    run_to_end("mount", "-t", "overlay", "overlay", "-o", options, str(merged))
    try:
        yield merged
    finally:
        run_to_end("umount", str(merged))
        merged.rmdir()
        shutil.rmtree(scratch)


def _append(layout: Path, tag: str, tree: Path, work: Path, *, overlay: bool) -> None:
    archive = work / "layer.tar"
    with archive.open("wb") as out:
        out.writelines(tree_archive.archive(tree, TreeOptions(overlay=overlay)))
    run_to_end("umoci", "raw", "add-layer", "--image", f"{layout}:{tag}", str(archive))
    archive.unlink()


def _zstd(layouts: Path, image: str, work: Path) -> None:
    """skopeo compresses anew only what is not compressed yet, and not there in another form."""
    plain = f"oci:{work}/plain:{image}"
    run_to_end("skopeo", "copy", "-q", "--dest-decompress", f"oci:{layouts}/gzip:{image}", plain)
    again = ("--dest-compress", "--dest-compress-format", "zstd")
    run_to_end("skopeo", "copy", "-q", *again, plain, f"oci:{layouts}/zstd:{image}")


def _say(what: str) -> None:
    print(f"making the image: {what}", file=sys.stderr, flush=True)
