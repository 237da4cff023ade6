"""Root file systems and configurations that try to get out, against the built-in runtime.

Rows R1 to R7 of the security history: each case names the advisory it is the shape of.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.linux.libc import syscall
from runtime.linux.sealed import start_program
from tests.integration.runtime.conftest import Bundle, Runtime, call_warm

pytestmark = pytest.mark.root
RENAMEAT2 = 316 if os.uname().machine == "x86_64" else 276


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


def replace(path: Path, how: Callable[[Path], object]) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    how(path)


SHAPES: dict[str, Callable[[Path, Path], object]] = {
    "link out": lambda path, canary: path.symlink_to(canary),
    "link to a file out": lambda path, canary: path.symlink_to(canary / "file"),
    "climbing link": lambda path, canary: path.symlink_to("../" * 20 + str(canary)[1:]),
    "loop": lambda path, _: path.symlink_to(path.name),
    "dangling": lambda path, canary: path.symlink_to(canary / "new"),
    "file": lambda path, _: path.write_text("x"),
    "fifo": lambda path, _: os.mkfifo(path),
    "absent": lambda path, _: None,
}
PLACES = ("dev", "proc", "sys", "dev/null", "dev/console", "dev/pts", "dev/shm", "data", "tmp/work")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("place", PLACES)
def test_a_start_fails_cleanly_or_stays_inside(
    runtime: Runtime, bundle: Bundle, identity: str, canary: Path, place: str, shape: str
) -> None:
    """CVE-2021-30465, CVE-2024-45310, CVE-2026-41579, CVE-2026-47766: a mount point is a trap."""
    replace(bundle.rootfs / place, lambda path: SHAPES[shape](path, canary))
    if place.startswith("dev/"):
        # nodes of the image count only where no tmpfs covers them
        bundle.config["mounts"] = [
            one for one in bundle.config["mounts"] if one["destination"] != "/dev"
        ]
    source = bundle.path / "source"
    source.mkdir()
    bundle.config["mounts"].append(
        {"destination": "/data", "type": "bind", "source": str(source), "options": ["bind"]}
    )
    path = bundle.shell("touch /data/inside /tmp/work/x /dev/x", cwd="/tmp/work")
    with (bundle.path / "said").open("w+") as said:
        call_warm(
            "--root", str(runtime.root), "run", "--bundle", path, identity, stderr=said.fileno()
        )
        said.seek(0)
        text = said.read()
    assert "unexpected" not in text
    assert "internal error" not in text
    assert unchanged(canary)


def test_masks_are_made_of_the_hosts_null_device(
    runtime: Runtime, bundle: Bundle, identity: str, canary: Path
) -> None:
    """CVE-2025-31133: the container's /dev/null was a link, and its target was bound instead."""
    bundle.config["mounts"] = [
        one for one in bundle.config["mounts"] if not one["destination"].startswith("/dev")
    ]
    (bundle.rootfs / "dev/null").symlink_to("/proc/sys/kernel/core_pattern")
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    path = bundle.shell("cat /proc/keys | wc -c; echo hacked > /proc/keys; stat -c %F /dev/null")
    done = runtime.call("run", "--bundle", path, identity)
    assert done.stdout.split("\n")[:2] == ["0", "character special file"]
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before
    assert unchanged(canary)


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


def test_a_covered_proc_redirects_nothing(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    """CVE-2019-16884, CVE-2025-52881: what is written to procfs lands in procfs."""
    decoy = bundle.path / "decoy"
    for name in ("net/ipv4/ip_unprivileged_port_start", "self/oom_score_adj"):
        (decoy / name).parent.mkdir(parents=True)
        (decoy / name).write_text("decoy")
    bundle.config["mounts"] += [
        {"destination": "/proc/sys", "type": "bind", "source": str(decoy), "options": ["bind"]},
    ]
    bundle.config["linux"]["sysctl"] = {"net.ipv4.ip_unprivileged_port_start": "77"}
    path = bundle.write("/bin/sleep", "100", oomScoreAdj=321)
    runtime.ok("run", "--detach", "--bundle", path, identity)
    pid = runtime.state(identity)["pid"]
    assert Path(f"/proc/{pid}/oom_score_adj").read_text().strip() == "321"
    seen = subprocess.run(
        ["nsenter", "-t", str(pid), "-n", "cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start"],
        capture_output=True, text=True, check=True, timeout=20,
    )  # fmt: skip
    assert seen.stdout.strip() == "77"
    for name in ("net/ipv4/ip_unprivileged_port_start", "self/oom_score_adj"):
        assert (decoy / name).read_text() == "decoy"


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


def test_a_volume_whose_links_change_while_containers_start(
    runtime: Runtime, bundle: Bundle, identity: str, canary: Path
) -> None:
    """CVE-2021-30465: a directory of a shared volume becomes a link between check and mount."""
    volume = bundle.path / "volume"
    (volume / "target").mkdir(parents=True)
    (volume / "link").symlink_to(canary)
    source = bundle.path / "source"
    source.mkdir()
    bundle.config["mounts"] += [
        {"destination": "/data", "type": "bind", "source": str(volume), "options": ["bind"]},
        {"destination": "/data/target", "type": "bind", "source": str(source), "options": ["bind"]},
        {"destination": "/data/target/below", "type": "tmpfs", "source": "tmpfs"},
    ]
    path = bundle.shell("touch /data/target/x")
    swapper = os.fork()
    if swapper == 0:
        exchange_for_ever(volume / "target", volume / "link")
    try:
        for _ in range(40):
            call_warm("--root", str(runtime.root), "run", "--bundle", path, identity)
    finally:
        os.kill(swapper, 9)
        os.waitpid(swapper, 0)
    assert unchanged(canary)


def exchange_for_ever(one: Path, other: Path) -> None:
    exchange, parent = 2, -100
    while True:
        syscall(RENAMEAT2, parent, os.fsencode(one), parent, os.fsencode(other), exchange)


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
