"""R2 and E3: no file descriptor of the host's gets in (CVE-2024-21626)."""

from __future__ import annotations

import contextlib
import os
import random
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.runtime.conftest import COMMANDS, Bundle, Runtime, call_warm

pytestmark = [pytest.mark.root, pytest.mark.soak]
SOAK = bool(os.environ.get("STACKER_SOAK"))
NUMBERS = range(3, 201)
SAMPLE = list(NUMBERS) if SOAK else sorted(random.Random(21626).sample(NUMBERS, 12))
MARK = "of-the-host"
ALLOWED = re.compile(
    # what init holds while it waits for `start`: its channel, the listener, its root's fds
    r"socket:\[\d+\]|/dev/null|/|anon_inode:\S+|/memfd:\S*"
)


@contextlib.contextmanager
def inheritable(directory: Path, count: int) -> Iterator[tuple[int, ...]]:
    first = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    fds = [first, *(os.dup(first) for _ in range(count - 1))]
    try:
        for fd in fds:
            os.set_inheritable(fd, True)
        yield tuple(fds)
    finally:
        for fd in fds:
            os.close(fd)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    directory = tmp_path / "outside"
    directory.mkdir()
    (directory / MARK).write_text("x")
    return directory


def said(bundle: Bundle, *arguments: str) -> tuple[int, str]:
    """By the way of the monitor: a fork that holds all that its parent holds."""
    with (bundle.path / "said").open("w+") as file:
        code = call_warm(*arguments, stdout=file.fileno(), stderr=file.fileno())
        file.seek(0)
        return code, file.read()


@pytest.mark.parametrize("link", [False, True], ids=["plain", "link"])
def test_working_directories_of_run(
    runtime: Runtime, bundle: Bundle, identity: str, outside: Path, link: bool
) -> None:
    """R2: WORKDIR /proc/self/fd/N, and a link to it, with 100 host directories to inherit."""
    with inheritable(outside, 100) as fds:
        assert set(SAMPLE) & set(fds)
        for number in SAMPLE:
            cwd = f"/proc/self/fd/{number}"
            if link:
                place = bundle.rootfs / "link"
                place.unlink(missing_ok=True)
                place.symlink_to(cwd)
                cwd = "/link"
            path = bundle.write("/bin/ls", "-la", ".", "..", cwd=cwd)
            code, text = said(
                bundle, "--root", str(runtime.root), "run", "--bundle", path, identity
            )
            assert MARK not in text
            assert "internal error" not in text
            assert code == 0 or text.strip()


@pytest.mark.parametrize("link", [False, True], ids=["plain", "link"])
def test_working_directories_of_exec(
    runtime: Runtime, bundle: Bundle, identity: str, outside: Path, link: bool
) -> None:
    """R2: the same for exec --cwd."""
    path = bundle.write("/bin/sleep", "100")
    runtime.ok("run", "--detach", "--bundle", path, identity)
    with inheritable(outside, 100):
        for number in SAMPLE:
            cwd = f"/proc/self/fd/{number}"
            if link:
                place = bundle.rootfs / "link"
                place.unlink(missing_ok=True)
                place.symlink_to(cwd)
                cwd = "/link"
            code, text = said(
                bundle, "--root", str(runtime.root),
                "exec", "--cwd", cwd, identity, "/bin/ls", "-la", ".", "..",
            )  # fmt: skip
            assert MARK not in text
            assert "internal error" not in text
            assert code == 0 or text.strip()


def test_working_directories_by_the_command_line(
    runtime: Runtime, bundle: Bundle, identity: str, outside: Path
) -> None:
    """R2: once more through the program itself, which inherits them across its own execve."""
    with inheritable(outside, 100) as fds:
        for number in (fds[0], fds[-1], 8):
            path = bundle.write("/bin/ls", "-la", ".", "..", cwd=f"/proc/self/fd/{number}")
            done = subprocess.run(
                runtime.argv("run", "--bundle", path, identity),
                pass_fds=fds, capture_output=True, text=True, timeout=20, check=False,
            )  # fmt: skip
            assert MARK not in done.stdout + done.stderr
            assert done.returncode == 0 or done.stderr.strip()


def fds_of(pid: int) -> dict[int, str]:
    directory = f"/proc/{pid}/fd"
    return {int(name): os.readlink(f"{directory}/{name}") for name in os.listdir(directory)}


def start(runtime: Runtime, outside: Path, *arguments: str, extra: int = 0) -> None:
    """With `extra` files from descriptor 3 on, and 100 directories behind them."""
    more = " ".join(f"{3 + index}<{outside}/{MARK}" for index in range(extra))
    script = f'exec {more} && exec "$@"' if more else 'exec "$@"'
    with inheritable(outside, 100) as fds:
        behind = [fd for fd in fds if fd >= 3 + extra]
        done = subprocess.run(
            ["bash", "-c", script, "sh", *COMMANDS["builtin"], "--root", str(runtime.root),
             *arguments],
            pass_fds=behind, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, timeout=20, check=False,
        )  # fmt: skip
    assert done.returncode == 0


@pytest.mark.parametrize("extra", [0, 2])
def test_the_descriptors_of_the_program(
    runtime: Runtime, bundle: Bundle, identity: str, outside: Path, tmp_path: Path, extra: int
) -> None:
    """E3: {0, 1, 2} and what --preserve-fds declares, for init and for exec."""
    expected = dict.fromkeys(range(3), "/dev/null")
    expected |= dict.fromkeys(range(3, 3 + extra), str(outside / MARK))
    keep = ["--preserve-fds", str(extra)] if extra else []
    path = bundle.write("/bin/sleep", "100")
    start(runtime, outside, "run", "--detach", *keep, "--bundle", path, identity, extra=extra)
    assert fds_of(runtime.state(identity)["pid"]) == expected
    pid_file = tmp_path / "pid"
    start(
        runtime, outside, "exec", "--detach", *keep, "--pid-file", str(pid_file), identity,
        "/bin/sleep", "100", extra=extra,
    )  # fmt: skip
    assert fds_of(int(pid_file.read_text())) == expected


def test_what_init_holds_while_it_waits(
    runtime: Runtime, bundle: Bundle, identity: str, outside: Path
) -> None:
    """R2: an allow-list of targets; a directory of the host's is in no process of the container."""
    path = bundle.write("/bin/sleep", "100")
    start(runtime, outside, "create", "--bundle", path, identity)
    found = fds_of(runtime.state(identity)["pid"])
    assert {target for target in found.values() if not ALLOWED.fullmatch(target)} == set()
    # `/` would be its own root's: what it shows is inside
    for number, target in found.items():
        if target == "/":
            listed = os.listdir(f"/proc/{runtime.state(identity)['pid']}/fd/{number}")
            assert "home" not in listed
