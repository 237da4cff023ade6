"""E2: an image that shadows all that Python and the C library could load; none of it is touched.

The root is a tmpfs with strict access times, and every trap in it was last read in 1970: whoever
reads, maps or executes one leaves a newer time. Python files and libraries also drop a marker
when they are run. The programs of the container itself are static and read nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.linux import mount
from tests.integration.runtime.conftest import Bundle, Runtime, make_rootfs
from tests.integration.runtime.test_terminal import Console, read_to_the_end

pytestmark = pytest.mark.root
TREE = Path(__file__).parents[4]
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
LIBRARY = Path(os.__file__).parent
MULTIARCH = f"{os.uname().machine}-linux-gnu"
CODE = "open('/marker', 'w').close()\n"
SHARED_OBJECT = """
#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void mark(void) { close(open("/marker", O_CREAT, 0600)); }
"""
LIBRARIES = (
    *(f"lib/{MULTIARCH}/libnss_{name}.so.2"
      for name in ("files", "dns", "compat", "db", "systemd", "myhostname", "mymachines")),
    *(f"lib/{MULTIARCH}/{name}"
      for name in ("libc.so.6", "libm.so.6", "libgcc_s.so.1", "libz.so.1", "libpthread.so.0")),
    *(f"usr/lib/{MULTIARCH}/gconv/{name}.so" for name in ("UTF-16", "UTF-7", "ISO8859-1")),
    "lib64/ld-linux-x86-64.so.2", "evil.so",
)  # fmt: skip
DATA = {
    "etc/ld.so.preload": "/evil.so\n",
    "etc/ld.so.conf": "/evil\n",
    "etc/ld.so.cache": "ld.so-1.7.0",
    "etc/nsswitch.conf": "passwd: files systemd\nhosts: dns\n",
    "etc/passwd": "root:x:0:0::/:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "etc/host.conf": "order hosts\n",
    "etc/gai.conf": "x",
    "etc/localtime": "TZif",
    f"usr/lib/{MULTIARCH}/gconv/gconv-modules": "module UTF-8// INTERNAL evil 1\n",
    f"usr/lib/{MULTIARCH}/gconv/gconv-modules.cache": "x",
    "usr/lib/locale/locale-archive": "x",
    "usr/lib/locale/C.utf8/LC_CTYPE": "x",
    "usr/share/locale/locale.alias": "x",
    "usr/share/zoneinfo/UTC": "TZif",
    "pyvenv.cfg": "home = /evil\n",
    "usr/bin/pyvenv.cfg": "home = /evil\n",
    f"usr/lib/python{VERSION}/os.py": CODE,
}


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("library")
    source, built = directory / "mark.c", directory / "mark.so"
    source.write_text(SHARED_OBJECT)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", built, source], check=True, timeout=60)
    return built


def lay_traps(rootfs: Path, library: Path) -> list[Path]:
    texts = dict(DATA)
    for module in LIBRARY.rglob("*.py"):
        if "test" not in module.parts and "site-packages" not in module.parts:
            texts[str(module)[1:]] = CODE
    for module in (TREE / "runtime").rglob("*.py"):
        texts[str(module)[1:]] = CODE
    for place in (f"usr/local/lib/python{VERSION}/dist-packages", "usr/lib/python3/dist-packages"):
        texts |= {f"{place}/{name}.py": CODE for name in ("sitecustomize", "usercustomize")}
        texts[f"{place}/evil.pth"] = f"import os; {CODE}"
    traps: list[Path] = []
    for name, text in texts.items():
        path = rootfs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        traps.append(path)
    extensions = [f"{str(path)[1:]}" for path in (LIBRARY / "lib-dynload").glob("*.so")]
    for name in (*LIBRARIES, *extensions):
        path = rootfs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(library, path)
        traps.append(path)
    # what sys.path begins with, and where a look-up of any codec begins
    archive = rootfs / f"usr/lib/python{VERSION.replace('.', '')}.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for module in ("encodings/__init__", "encodings/idna", "codecs", "os", "socket", "json"):
            file.writestr(f"{module}.py", CODE)
    return [*traps, archive]


@pytest.fixture
def traps(bundle: Bundle, library: Path) -> Iterator[list[Path]]:
    # without one it is looked up in passwd: the test for that is the last
    bundle.config["process"]["env"].append("HOME=/")
    shutil.rmtree(bundle.rootfs)
    bundle.rootfs.mkdir()
    mount.mount("traps", str(bundle.rootfs), "tmpfs", mount.MS_STRICTATIME, "size=256m")
    try:
        make_rootfs(bundle.rootfs)
        laid = lay_traps(bundle.rootfs, library)
        for path in laid:
            os.utime(path, (0, 0))
        yield laid
    finally:
        mount.umount2(str(bundle.rootfs), mount.MNT_DETACH)


def sprung(bundle: Bundle, traps: list[Path]) -> list[str]:
    assert not (bundle.rootfs / "marker").exists()
    return [str(path.relative_to(bundle.rootfs)) for path in traps if path.stat().st_atime != 0]


def test_the_witness_sees_a_reader(bundle: Bundle, traps: list[Path]) -> None:
    """E2: or the tests below would show nothing."""
    assert sprung(bundle, traps) == []
    traps[3].read_bytes()
    assert sprung(bundle, traps) == [str(traps[3].relative_to(bundle.rootfs))]


@pytest.mark.parametrize(
    "user",
    [
        {"uid": 0, "gid": 0},
        {"uid": 5, "gid": 5, "additionalGids": [7, 8], "umask": 0o77},
    ],
    ids=["root", "other"],
)
def test_nothing_is_touched(
    runtime: Runtime,
    bundle: Bundle,
    identity: str,
    traps: list[Path],
    tmp_path: Path,
    user: dict[str, object],
) -> None:
    """E2: create, start, exec in all its endings, and a terminal."""
    environment = [
        "PATH=/bin", "LD_PRELOAD=/evil.so", "LANG=xx_XX.UTF-16", "LC_ALL=xx_XX.UTF-16",
        "PYTHONPATH=/usr/lib", "PYTHONHOME=/usr", "GCONV_PATH=/usr/lib", "LOCPATH=/usr/lib/locale",
        "HOME=/",
    ]  # fmt: skip
    path = bundle.write("/bin/sleep", "100", user=user, env=environment)
    hostile = {**os.environ, **dict(entry.split("=", 1) for entry in environment[2:4])}
    runtime.ok("create", "--bundle", path, identity, env=hostile)
    runtime.ok("start", identity)
    runtime.ok("exec", "--user", "9:9", "--env", "A=\u00e4\u20ac", identity, "/bin/true")
    runtime.ok("exec", identity, "true", env=hostile)
    for program in ("/bin/nosuch", "nosuch", "/etc/passwd", "/tmp", "\u00e4\udcff"):
        assert runtime.call("exec", identity, program).returncode != 0
    assert runtime.call("exec", "--cwd", "/nosuch\u00e4", identity, "true").returncode != 0
    console = Console(tmp_path / "console.sock")
    runtime.ok("exec", "--tty", "--detach", "--console-socket", console.path, identity, "/bin/true")
    read_to_the_end(console.master())
    assert sprung(bundle, traps) == []


def test_nothing_is_touched_by_run(
    runtime: Runtime, bundle: Bundle, identity: str, traps: list[Path], tmp_path: Path
) -> None:
    """E2: run with a terminal, and runs that fail after the root was entered."""
    console = Console(tmp_path / "console.sock")
    path = bundle.write("/bin/true", terminal=True)
    runtime.ok("run", "--detach", "--console-socket", console.path, "--bundle", path, identity)
    read_to_the_end(console.master())
    runtime.ok("delete", "--force", identity)

    for program in ("/bin/nosuch", "nosuch", "/etc/passwd", "/tmp"):
        path = bundle.write(program, terminal=False)
        assert runtime.call("run", "--bundle", path, identity).returncode in (126, 127)
    assert sprung(bundle, traps) == []


def test_a_failure_that_must_be_told(
    runtime: Runtime, bundle: Bundle, identity: str, traps: list[Path]
) -> None:
    """E2: after the root is entered an error is formatted with what was loaded before."""
    for change in (
        {"user": {"uid": 5, "gid": 5}, "cwd": "/private"},
        {"rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 2**40}]},
        {"cwd": "/bin/busybox"},
    ):
        (bundle.rootfs / "private").mkdir(mode=0o700, exist_ok=True)
        bundle.config["process"] |= {"user": {"uid": 0, "gid": 0}, "cwd": "/", "rlimits": []}
        done = runtime.call("run", "--bundle", bundle.write("/bin/true", **change), identity)
        assert "after the root was entered" not in done.stderr
        assert "internal error" not in done.stderr
    assert sprung(bundle, traps) == []


def test_passwd_is_all_that_is_looked_at_for_a_home(
    runtime: Runtime, bundle: Bundle, identity: str, traps: list[Path]
) -> None:
    """E2: as bytes, from outside of the root; no look-up of the system's, no library of it."""
    path = bundle.write("/bin/sleep", "100", env=["PATH=/bin"])
    runtime.ok("run", "--detach", "--bundle", path, identity)
    runtime.ok("exec", "--user", "9:9", identity, "/bin/true")
    assert sprung(bundle, traps) == ["etc/passwd"]
