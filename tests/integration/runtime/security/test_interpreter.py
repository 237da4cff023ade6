"""R1: nobody inside can write the interpreter that enters the container (CVE-2019-5736).

The attacks run against a copy of the interpreter, so that one that succeeds harms nobody; the
host's own interpreter, crun, runc and our files are compared all the same.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.linux.sealed import start_program
from tests.integration.runtime.conftest import Bundle, Runtime, wait_until

pytestmark = [pytest.mark.root, pytest.mark.soak]
EXECS = 1_000 if os.environ.get("STACKER_SOAK") else 25
TREE = Path(__file__).parents[4]
# by these an attack is at its strongest: all that a container could be given against us
CAPABILITIES = ["CAP_SYS_PTRACE", "CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH"]
LOADED = ("encodings", "collections")
MODULES = ("codecs", "io", "abc", "os", "stat", "posixpath", "genericpath", "_collections_abc")


@pytest.fixture(scope="session")
def opener(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("opener") / "opener"
    source = Path(__file__).with_name("opener.c")
    command = ["gcc", "-static", "-O1", "-Wall", "-Werror", "-o", str(program), str(source)]
    subprocess.run(command, check=True, timeout=60)
    return program


@pytest.fixture
def interpreter(tmp_path: Path) -> Path:
    copy = tmp_path / "python3"
    shutil.copy2(os.path.realpath(sys.executable), copy)
    return copy


@pytest.fixture
def argv(interpreter: Path, runtime: Runtime) -> list[str]:
    program = start_program("runtime.__main__")
    return [str(interpreter), "-I", "-S", *program, "--root", str(runtime.root)]


def digests(interpreter: Path) -> dict[str, str]:
    files = [interpreter, Path(os.path.realpath(sys.executable)), *(TREE / "runtime").rglob("*.py")]
    files += [Path(found) for name in ("crun", "runc") if (found := shutil.which(name))]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def call(argv: list[str], *arguments: str) -> int:
    """Started again while it is busy.

    The kernel counts an open for writing before it sees that the mount is read-only, and for that
    moment the file cannot be executed, wherever it is mounted.
    """
    for _ in range(1_000):
        try:
            return subprocess.run(
                [*argv, *arguments],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                timeout=30, check=False,
            ).returncode  # fmt: skip
        except OSError as error:
            if error.errno != errno.ETXTBSY:
                raise
    raise AssertionError("the interpreter is always busy")


def test_held_by_a_path_and_opened_again(
    runtime: Runtime,
    bundle: Bundle,
    identity: str,
    opener: Path,
    interpreter: Path,
    argv: list[str],
) -> None:
    """R1: a loop inside that opens /proc/*/exe, holds it, and reopens it for writing later."""
    before = digests(interpreter)
    shutil.copy2(opener, bundle.rootfs / "opener")
    sets = ("bounding", "effective", "permitted")
    bundle.config["process"]["capabilities"] = dict.fromkeys(sets, CAPABILITIES)
    bundle.write("/opener")
    assert call(argv, "run", "--detach", "--bundle", str(bundle.path), identity) == 0
    wait_until(lambda: (bundle.rootfs / "ready").exists())
    for _ in range(EXECS):
        assert call(argv, "exec", identity, "/bin/true") == 0
    assert call(argv, "kill", identity, "TERM") == 0
    runtime.await_status(identity, "stopped")
    seen, refused, written = map(int, (bundle.rootfs / "seen").read_text().split())
    assert written == 0
    # without any of these the test would have shown nothing
    assert seen >= 1
    assert refused >= seen
    assert digests(interpreter) == before


def lay_out_python(rootfs: Path) -> None:
    """What an image needs so that our interpreter, run by `#!/proc/self/exe`, comes to life."""
    library = Path(os.__file__).parent
    target = rootfs / str(library)[1:]
    target.mkdir(parents=True)
    for name in MODULES:
        shutil.copy2(library / f"{name}.py", target)
    for name in LOADED:
        shutil.copytree(library / name, target / name)
    (target / "lib-dynload").mkdir()
    listed = subprocess.run(
        ["ldd", os.path.realpath(sys.executable)], capture_output=True, text=True, check=True
    ).stdout
    for word in listed.split():
        if word.startswith("/"):
            place = rootfs / word[1:]
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(word, place)


TRAP = """#!/proc/self/exe
import posix
for path in ("/proc/self/exe", "/proc/1/exe"):
    held = posix.open(path, posix.O_PATH)
    try:
        posix.open("/proc/self/fd/%d" % held, posix.O_WRONLY)
        answer = "opened"
    except OSError as error:
        answer = str(error.errno)
    out = posix.open("/answers", posix.O_WRONLY | posix.O_CREAT | posix.O_APPEND, 0o600)
    posix.write(out, (answer + "\\n").encode())
"""


@pytest.mark.parametrize("how", ["run", "exec"])
def test_as_the_program(
    runtime: Runtime,
    bundle: Bundle,
    identity: str,
    interpreter: Path,
    argv: list[str],
    how: str,
) -> None:
    """R1: `#!/proc/self/exe` as entrypoint and as exec's target runs what entered the container."""
    before = digests(interpreter)
    lay_out_python(bundle.rootfs)
    trap = bundle.rootfs / "bin/trap"
    trap.write_text(TRAP)
    trap.chmod(0o755)
    if how == "run":
        bundle.write("/bin/trap")
        call(argv, "run", "--bundle", str(bundle.path), identity)
    else:
        bundle.write("/bin/sleep", "100")
        assert call(argv, "run", "--detach", "--bundle", str(bundle.path), identity) == 0
        call(argv, "exec", identity, "/bin/trap")
    answers = (bundle.rootfs / "answers").read_text().split()
    assert answers
    # of exec's two the second is busybox, the container's own
    assert answers[0] != "opened"
    assert how == "exec" or answers[1] != "opened"
    assert digests(interpreter) == before
