"""`process`: the program, its environment and directory, and what it inherits."""

from __future__ import annotations

import pytest

from tests.conformance.conftest import Case

pytestmark = pytest.mark.root


def test_arguments_are_given_as_they_are(case: Case) -> None:
    """config.md, "POSIX process": `args` has the semantics of execvp's argv."""
    case.process["args"] = ["/see", "", "two words", "$HOME", "--flag", "ä\n"]
    done = case.run()
    assert done.returncode == 0, done.stderr
    assert '"two words","$HOME","--flag","\\u00c3\\u00a4\\u000a"' in done.stdout


def test_a_program_is_found_on_the_containers_path(case: Case) -> None:
    """config.md, "POSIX process": execvp looks `args[0]` up in PATH, which is `env`'s."""
    (case.rootfs / "tools").mkdir()
    (case.rootfs / "see").rename(case.rootfs / "tools/see")
    case.process.update(args=["see", "+", "pid"], env=["PATH=/nowhere:/tools"])
    assert case.run().returncode == 0


def test_environment(case: Case) -> None:
    """config.md, "Process": `env` is the environment, and nothing of the host's joins it."""
    case.process["env"] = ["A=1", "EMPTY=", "WITH=equals=inside", "PATH=/x"]
    seen = case.one("env")
    assert [one for one in seen if not one.startswith("HOME=")] == case.process["env"]


def test_working_directory(case: Case) -> None:
    """config.md, "Process": `cwd` is the working directory."""
    case.process["cwd"] = "/work"
    assert case.one("cwd") == "/work"


@pytest.mark.differs(crun="takes a relative cwd")
def test_a_relative_working_directory_is_refused(case: Case) -> None:
    """config.md, "Process": `cwd` MUST be an absolute path."""
    case.process["cwd"] = "work"
    case.refused()


def test_no_arguments_are_refused(case: Case) -> None:
    """config.md, "POSIX process": `args` must have at least one entry."""
    case.process["args"] = []
    done = case.runtime.call("run", "--bundle", case.write(), case.identity)
    assert done.returncode != 0


@pytest.mark.parametrize("program", ["/nosuch", "nosuch", "/etc", "/etc/plain"])
def test_a_program_that_cannot_be_run(case: Case, program: str) -> None:
    """runtime.md, "Create": an error that is found at `create` leaves no container."""
    (case.rootfs / "etc/plain").write_text("not executable")
    case.process["args"] = [program]
    done = case.runtime.call("run", "--bundle", case.write(), case.identity)
    assert done.returncode != 0
    assert case.runtime.call("state", case.identity).returncode != 0


def test_exit_code_is_passed_on(case: Case) -> None:
    """runtime.md, "Lifecycle": the process ends with its own code, which `run` returns."""
    assert case.run("exit 57").returncode == 57


def test_no_new_privileges(case: Case) -> None:
    """config.md, "Linux Process": `noNewPrivileges` is prctl's."""
    for wanted in (True, False):
        case.process["noNewPrivileges"] = wanted
        assert case.one("no_new_privileges") == int(wanted)


def test_oom_score(case: Case) -> None:
    """config.md, "Linux Process": `oomScoreAdj` is written to the process's oom_score_adj."""
    case.process["oomScoreAdj"] = 321
    assert case.one("read /proc/self/oom_score_adj") == "321\n"


def test_no_descriptor_of_the_runtime_is_left(case: Case) -> None:
    """runtime.md, "Create": the process is what config.json says; it has 0, 1 and 2."""
    assert case.one("descriptors") == [0, 1, 2]


def test_process_is_the_first_of_its_namespace(case: Case) -> None:
    """config-linux.md, "Namespaces": in a new pid namespace it is process 1."""
    assert case.one("pid") == 1
