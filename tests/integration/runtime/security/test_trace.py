"""E2: the runtime's own system calls, from the entered root to the program: what they may touch.

Documented, and nothing else: the look-up of the program (stat, access), the working directory, and
for a terminal the nodes of the container's own devpts. Before the root is entered its paths are
opened to mount on them (O_PATH, or as directories), never to read; where a mount point is missing,
its name is asked by the directory's descriptor whether it is a dangling link.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.runtime.conftest import Bundle, Runtime, wait_until
from tests.integration.runtime.test_terminal import Console, read_to_the_end

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace"),
]
CALLS = "%file,mmap,mprotect,pivot_root,setns,execveat,chroot,fchdir,open_tree,move_mount,clone"
ENTERS = re.compile(r"(pivot_root\(|setns\(.*CLONE_NEWNS)")
LOOKS = re.compile(r"(newfstatat|stat|lstat|statx|access|faccessat2?|getcwd|chdir)\(")
MOUNTS = re.compile(r"(mount|umount2|fchdir|chroot|pivot_root|mount_setattr)\(")
TERMINAL = re.compile(r'openat2?\(.*"?/?(dev/)?(ptmx|pts/(ptmx|\d+))"?')
DANGLING = re.compile(r'readlinkat\(\d+<[^>]*>, "[^"/]+", ')
OWN_ROOT = re.compile(r'openat\(AT_FDCWD(<[^>]*>)?, "(/|\.)", [A-Z_|]*(O_PATH|O_DIRECTORY)')
ANONYMOUS = re.compile(r"(mmap\(.*MAP_ANONYMOUS|mprotect\()")


def traced(
    trace: Path,
    runtime: Runtime,
    *arguments: str,
    during: Callable[[], object] = lambda: None,
    fails: bool = False,
) -> list[list[str]]:
    """The calls of each process that entered the root, in order."""
    with subprocess.Popen(
        ["strace", "-f", "-y", "-o", str(trace), "-e", f"trace={CALLS}", *runtime.argv(*arguments)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as child:  # fmt: skip
        during()
        code = child.wait(timeout=60)
    assert (code != 0) == fails
    by_process: dict[str, list[str]] = {}
    for line in trace.read_text().splitlines():
        pid, _, call = line.partition(" ")
        by_process.setdefault(pid, []).append(call.strip())
    return [calls for calls in by_process.values() if any(ENTERS.match(call) for call in calls)]


def check(calls: list[str], rootfs: Path, *, terminal: bool, ends: bool = True) -> None:
    entered = next(index for index, call in enumerate(calls) if ENTERS.match(call))
    ended = next(
        (n for n, call in enumerate(calls) if n > entered and call.startswith("execve")), len(calls)
    )
    assert ends == (ended < len(calls))
    for call in calls[:entered]:
        if str(rootfs) in call and re.match(r"open|execve|mmap|readlink", call):
            if DANGLING.match(call):
                continue
            assert "PROT_EXEC" not in call, call
            assert not call.startswith(("execve", "readlink")), call
            if not terminal or not TERMINAL.match(call):
                assert re.search(r"O_PATH|O_DIRECTORY|O_CREAT|OPEN_TREE_", call), call
    for call in calls[entered + 1 : ended]:
        harmless = LOOKS.match(call) or MOUNTS.match(call) or OWN_ROOT.match(call)
        if terminal:
            harmless = harmless or TERMINAL.match(call)
        harmless = harmless or (ANONYMOUS.match(call) and "PROT_EXEC" not in call)
        assert harmless or call.startswith(("---", "+++", "<...", "setns(")), call


def test_run(runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path) -> None:
    """E2: run, with another user and a program that is looked up."""
    path = bundle.write("true", user={"uid": 5, "gid": 5, "additionalGids": [7]})
    (init,) = traced(tmp_path / "trace", runtime, "run", "--bundle", path, identity)
    check(init, bundle.rootfs, terminal=False)


def status_of(runtime: Runtime, identity: str) -> str:
    """Empty as long as nobody knows it."""
    done = runtime.call("state", identity)
    return json.loads(done.stdout)["status"] if done.returncode == 0 else ""


def test_create_and_start(runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path) -> None:
    """E2: create ends while init waits; start itself never enters."""
    path = bundle.write("/bin/true")
    started: list[list[str]] = []

    def begin() -> None:
        # strace follows init to its end, which only `start` brings
        wait_until(lambda: status_of(runtime, identity) == "created")
        started.extend(traced(tmp_path / "start", runtime, "start", identity))

    (init,) = traced(
        tmp_path / "trace", runtime, "create", "--bundle", path, identity, during=begin
    )
    check(init, bundle.rootfs, terminal=False)
    assert started == []


def test_run_with_a_terminal(
    runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path
) -> None:
    """E2: run -t."""
    console = Console(tmp_path / "console.sock")
    path = bundle.write("/bin/true", terminal=True)
    (init,) = traced(
        tmp_path / "trace", runtime,
        "run", "--console-socket", console.path, "--bundle", path, identity,
        during=lambda: read_to_the_end(console.master()),
    )  # fmt: skip
    check(init, bundle.rootfs, terminal=True)


@pytest.mark.parametrize("terminal", [False, True])
def test_exec(
    runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path, terminal: bool
) -> None:
    """E2: exec and exec -t, by which no path of the image is opened but the terminal's."""
    runtime.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    console = Console(tmp_path / "console.sock") if terminal else None
    flags = ["--tty", "--console-socket", console.path] if console else []
    (entering,) = traced(
        tmp_path / "trace", runtime, "exec", *flags, "--user", "5:5", identity, "true",
        during=lambda: read_to_the_end(console.master()) if console else None,
    )  # fmt: skip
    check(entering, bundle.rootfs, terminal=terminal)


def test_an_exec_that_fails(
    runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path
) -> None:
    """E2: nor to tell what went wrong."""
    runtime.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    (entering,) = traced(
        tmp_path / "trace", runtime, "exec", identity, "/bin/n\u00f6such", fails=True
    )
    check(entering, bundle.rootfs, terminal=False, ends=False)
