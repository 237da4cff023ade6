"""Containers that try to get out, against the built-in runtime; `hostile/` has root file systems.

Rows R1 and R2 of the security history: each case names the advisory it is the shape of.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.linux.sealed import start_program
from tests.integration.runtime.conftest import Bundle, Runtime

pytestmark = pytest.mark.root


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A host directory that the hostile links point to: nothing may appear or change in it."""
    directory = tmp_path / "canary"
    directory.mkdir()
    (directory / "file").write_text("untouched")
    return directory


def unchanged(canary: Path) -> bool:
    return (
        sorted(os.listdir(canary)) == ["file"]
        and (canary / "file").read_text() == "untouched"
        and stat.S_ISREG((canary / "file").lstat().st_mode)
    )


@pytest.mark.parametrize("cwd", [*(f"/proc/self/fd/{fd}" for fd in (3, 4, 5, 7, 9, 12)), "/link"])
def test_no_descriptor_of_the_host_is_a_way_out(
    runtime: Runtime, bundle: Bundle, identity: str, cwd: str
) -> None:
    """CVE-2024-21626: a directory of the host, open in the runtime, as the working directory."""
    (bundle.rootfs / "link").symlink_to("/proc/self/fd/8")
    host = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    fds = [os.dup(host) for _ in range(20)]
    try:
        path = bundle.shell("pwd; ls /; ls -l /proc/self/fd", cwd=cwd)
        done = subprocess.run(
            runtime.argv("run", "--bundle", path, identity),
            pass_fds=fds, capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
    finally:
        for fd in (host, *fds):
            os.close(fd)
    assert done.returncode != 0
    assert any(word in done.stderr for word in ("working directory", "mount point", "resolve"))


def test_a_shadowed_standard_library_is_never_read(
    runtime: Runtime, bundle: Bundle, identity: str, canary: Path
) -> None:
    """CVE-2019-14271 in Python: every module the image holds drops a marker when it is run."""
    library = bundle.rootfs / f"usr/lib/python3.{sys.version_info.minor}"
    original = Path(os.__file__).parent
    for module in (*original.glob("*.py"), *original.glob("encodings/*.py")):
        target = library / module.relative_to(original)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("open('/marker', 'w').close()\n")
    here = Path(__file__).parents[3] / "runtime"
    shutil.copytree(here, bundle.rootfs / str(here)[1:])
    for module in (bundle.rootfs / str(here)[1:]).rglob("*.py"):
        module.write_text("open('/marker', 'w').close()\n")
    path = bundle.write("/bin/sleep", "100", user={"uid": 5, "gid": 5, "additionalGids": [7]})
    runtime.ok("run", "--detach", "--bundle", path, identity)
    runtime.ok("exec", "--user", "9:9", identity, "true")
    runtime.call("exec", identity, "/bin/nosuch")
    runtime.call("exec", "--cwd", "/nosuch", identity, "true")
    assert not (bundle.rootfs / "marker").exists()
    assert unchanged(canary)


def test_nothing_below_the_root_is_opened_before_the_program(
    runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path
) -> None:
    """The trace of our own system calls: between pivot_root and execve no open, map or exec."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    trace = tmp_path / "trace"
    subprocess.run(
        ["strace", "-f", "-o", str(trace), "-e",
         "trace=open,openat,openat2,mmap,execve,execveat,pivot_root,clone,clone3",
         *runtime.argv("run", "--bundle", bundle.write("/bin/true"), identity)],
        timeout=60, check=True, capture_output=True,
    )  # fmt: skip
    lines = trace.read_text().splitlines()
    start = next(index for index, line in enumerate(lines) if " pivot_root(" in line)
    pid = lines[start].split()[0]
    mine = [line.split(maxsplit=1)[1] for line in lines[start + 1 :] if line.split()[0] == pid]
    end = next(index for index, line in enumerate(mine) if line.startswith("execve"))
    for line in mine[:end]:
        harmless = "MAP_ANONYMOUS" in line or 'openat(AT_FDCWD, "/", O_RDONLY|O_' in line
        assert harmless or 'openat(AT_FDCWD, "/", O_RDONLY|O_CLOEXEC|O_PATH' in line, line


def test_a_state_of_another_boot_is_of_a_stopped_container(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    """A pid means nothing after a reboot: whoever has it now must not be signalled."""
    runtime.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    file = runtime.root / identity / "state.json"
    state = json.loads(file.read_text())
    file.write_text(json.dumps(state | {"boot_id": "another"}))
    assert runtime.state(identity)["status"] == "stopped"
    assert runtime.call("kill", identity, "KILL").returncode != 0
    file.write_text(json.dumps(state | {"start_time": state["start_time"] - 1}))
    assert runtime.state(identity)["status"] == "stopped"
    assert runtime.call("exec", identity, "true").returncode != 0
    assert Path(f"/proc/{state['pid']}/cmdline").read_bytes() == b"/bin/sleep\x00100\x00"
    file.write_text(json.dumps(state))


@pytest.fixture
def own_interpreter(tmp_path: Path) -> Path:
    """A copy, so that a successful attack would not harm the host's."""
    copy = tmp_path / "python3"
    shutil.copy2(os.path.realpath(sys.executable), copy)
    return copy


def test_the_interpreter_cannot_be_written_from_inside(
    runtime: Runtime, bundle: Bundle, identity: str, own_interpreter: Path
) -> None:
    """CVE-2019-5736: /proc/<pid>/exe of a runtime inside the container, held open and reopened."""
    before = hashlib.sha256(own_interpreter.read_bytes()).digest()
    script = (
        "for i in 1 2 3 4 5 6 7 8; do for e in /proc/[0-9]*/exe; do "
        "(exec 9<$e && sleep 0.2 && echo x > /proc/self/fd/9 && touch /written) 2>/dev/null & "
        "done; sleep 0.02; done; while :; do for e in /proc/[0-9]*/exe; do "
        "case $(readlink $e) in /bin/busybox) ;; *) "
        "(exec 9<$e && sleep 0.2 && echo x > /proc/self/fd/9 && touch /written) 2>/dev/null & ;; "
        "esac; done; done"
    )
    capabilities = ["CAP_SYS_PTRACE", "CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"]
    bundle.config["process"]["capabilities"] = dict.fromkeys(
        ("bounding", "effective", "permitted"), capabilities
    )
    argv = [str(own_interpreter), "-I", "-S", *start_program("runtime.__main__"),
            "--root", str(runtime.root)]  # fmt: skip
    bundle.shell(script)
    environment = {"PYTHONHOME": "/nowhere", "PATH": "/usr/bin:/bin"}
    run = subprocess.run(
        [*argv, "run", "--detach", "--bundle", str(bundle.path), identity],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        timeout=20, check=False,
    )  # fmt: skip
    assert run.returncode == 0
    for _ in range(10):
        subprocess.run([*argv, "exec", identity, "/bin/true"], timeout=20, check=False)
    assert not (bundle.rootfs / "written").exists()
    assert hashlib.sha256(own_interpreter.read_bytes()).digest() == before


def test_the_interpreter_as_the_program(
    runtime: Runtime, bundle: Bundle, identity: str, own_interpreter: Path
) -> None:
    """CVE-2019-5736, second form: `#!/proc/self/exe` makes the container run our interpreter."""
    before = hashlib.sha256(own_interpreter.read_bytes()).digest()
    script = bundle.rootfs / "bin/trap"
    script.write_text("#!/proc/self/exe\nopen('/marker', 'w')\n")
    script.chmod(0o755)
    argv = [str(own_interpreter), "-I", "-S", *start_program("runtime.__main__"),
            "--root", str(runtime.root)]  # fmt: skip
    bundle.write("/bin/trap")
    done = subprocess.run(
        [*argv, "run", "--bundle", str(bundle.path), identity],
        capture_output=True, timeout=20, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert hashlib.sha256(own_interpreter.read_bytes()).digest() == before


def test_the_sealed_interpreter_refuses_to_be_opened_for_writing(own_interpreter: Path) -> None:
    """Held by an O_PATH descriptor over the end of the process: no longer busy, still read-only."""
    tree = Path(__file__).parents[3]
    inner = "import sys; print(flush=True); sys.stdin.read()"
    program = (
        f"import sys; sys.path.append({str(tree)!r})\n"
        "from runtime.linux.sealed import exec_sealed\n"
        f"exec_sealed(['-c', {inner!r}], dict())"
    )
    child = subprocess.Popen(
        [str(own_interpreter), "-I", "-S", "-c", program],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None
    child.stdout.readline()
    held = os.open(f"/proc/{child.pid}/exe", os.O_PATH)
    child.communicate()
    with pytest.raises(OSError, match="Read-only file system"):
        os.open(f"/proc/self/fd/{held}", os.O_WRONLY)
    os.close(held)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{", b"\xff", b'{"ociVersion": 1}', b"[" * 100_000, b"null"]
)
def test_a_broken_config_is_one_line(
    runtime: Runtime, bundle: Bundle, identity: str, text: bytes
) -> None:
    (bundle.path / "config.json").write_bytes(text)
    done = runtime.call("create", "--bundle", str(bundle.path), identity)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


def test_a_fifo_as_config_does_not_hang(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    os.mkfifo(bundle.path / "config.json")
    done = runtime.call("create", "--bundle", str(bundle.path), identity)
    assert "not a regular file" in done.stderr
