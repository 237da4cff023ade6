"""The root file system of the virtual machine: made once, cached by what it is made of."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.vm import recipe

REPOSITORY = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "/var/cache", "stacker-vm")
INSTALL = ("apt-get", "install", "-y", "-qq", "-o", "Dpkg::Options::=--force-confold")


@dataclass(frozen=True, kw_only=True)
class Image:
    """What QEMU is started with."""

    directory: Path

    @property
    def root(self) -> Path:
        return self.directory / "root.img"

    @property
    def kernel(self) -> Path:
        return self.directory / "vmlinuz"

    @property
    def initrd(self) -> Path:
        return self.directory / "initrd"


def prepare() -> Image:
    """Return the image that belongs to this tree, from the cache where it is there."""
    CACHE.mkdir(parents=True, exist_ok=True)
    image = Image(directory=CACHE / _digest())
    with _only_one():
        if not image.directory.is_dir():
            with tempfile.TemporaryDirectory(prefix="making-", dir=CACHE) as making:
                done = _make(Path(making))
                done.directory.rename(image.directory)
        os.utime(image.directory)
        _forget_all_but(2)
    return image


def _digest() -> str:
    digest = hashlib.sha256()
    for source in (Path(__file__), Path(recipe.__file__)):
        digest.update(source.read_bytes())
    for line in locked("requirements.lock") + locked("requirements-dev.lock"):
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()[:16]


def locked(name: str) -> list[str]:
    """The lines of a lock file that are carried in."""
    lines = (REPOSITORY / name).read_text().splitlines()
    wanted = (line for line in lines if line and not line.startswith("#"))
    return [line for line in wanted if line.split("==")[0] not in recipe.LEFT_OUT]


@contextmanager
def _only_one() -> Iterator[None]:
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _forget_all_but(count: int) -> None:
    kept = [path for path in CACHE.iterdir() if path.is_dir()]
    kept.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in kept[count:]:
        shutil.rmtree(path)


def _make(making: Path) -> Image:
    root, done = making / "root", making / "done"
    done.mkdir()
    log("debootstrap", recipe.SUITE)
    _run("debootstrap", "--variant=minbase", recipe.SUITE, str(root))
    for name, text in recipe.FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "usr/local/sbin/stacker-vm").chmod(0o755)
    # not empty: a first boot would apply the presets of all units
    (root / "etc/machine-id").write_text(hashlib.md5(str(done).encode()).hexdigest() + "\n")

    log("packages:", *recipe.PACKAGES)
    resolv_conf = (root / "etc/resolv.conf").read_bytes()
    shutil.copyfile("/etc/resolv.conf", root / "etc/resolv.conf")
    (root / "etc/apt/sources.list").write_text(_sources())
    _inside(root, "apt-get", "update", "-qq")
    _inside(root, *INSTALL, *recipe.PACKAGES)
    _inside(root, "apt-get", "clean")
    shutil.rmtree(root / "var/lib/apt/lists")
    (root / "etc/resolv.conf").write_bytes(resolv_conf)

    _inside(root, "systemctl", "mask", "-q", *recipe.MASKED)
    _inside(root, "systemctl", "enable", "-q", "stacker-vm.service")
    log("wheels")
    _wheels(making, root)

    image = Image(directory=done)
    shutil.copyfile(root / "vmlinuz", image.kernel)
    shutil.copyfile(root / "initrd.img", image.initrd)
    log("file system")
    _run("mke2fs", "-q", "-t", "ext4", "-d", str(root), str(image.root), recipe.SIZE)
    return image


def _sources() -> str:
    """The Debian archives of this very host, security updates too."""
    listed = _run(
        "apt-get",
        "indextargets",
        "--format",
        "$(REPO_URI) $(CODENAME) $(COMPONENT)",
        "Created-By: Packages",
        "Origin: Debian",
    )
    lines = {line for line in listed.splitlines() if line.split()[1].startswith(recipe.SUITE)}
    return "".join(f"deb {line}\n" for line in sorted(lines))


def _wheels(making: Path, root: Path) -> None:
    """Fetch with a pip of the host's; install with that of the image, which sees no network."""
    wheels = root / recipe.WHEELS.lstrip("/")
    wheels.mkdir(parents=True)
    for name in ("requirements.lock", "requirements-dev.lock"):
        (wheels / name).write_text("\n".join(locked(name)) + "\n")
    _run("/usr/bin/python3", "-m", "venv", str(making / "pip"))
    wanted = ("-r", str(wheels / "requirements-dev.lock"), "-r", str(wheels / "requirements.lock"))
    pip = (str(making / "pip/bin/python"), "-m", "pip", "-q", "--disable-pip-version-check")
    _run(*pip, "wheel", "--no-deps", "-w", str(wheels), *wanted)
    for venv, locks in (
        (recipe.SERVICE_VENV, ("requirements.lock",)),
        (recipe.TESTS_VENV, ("requirements.lock", "requirements-dev.lock")),
    ):
        _inside(root, "python3", "-m", "venv", venv)
        wanted = tuple(word for lock in locks for word in ("-r", f"{recipe.WHEELS}/{lock}"))
        from_wheels = ("--no-index", "--find-links", recipe.WHEELS)
        _inside(root, f"{venv}/bin/pip", "install", "-q", *from_wheels, *wanted)


def _inside(root: Path, *command: str) -> None:
    """Run in the root file system; pip and apt of the image are not this host's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    environment = {**kept, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    _run("chroot", str(root), *command, environment=environment)


def _run(*command: str, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


def log(*words: str) -> None:
    print("vm:", *words, flush=True)
