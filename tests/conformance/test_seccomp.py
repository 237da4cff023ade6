"""`linux.seccomp`: actions, arguments, operators; what the kernel does with the filter."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from runtime.security.seccomp import numbers
from tests.conformance.conftest import Case, Config

pytestmark = pytest.mark.root
EPERM, ENOSYS = 1, 38
GETPGRP, GETPRIORITY = 111, 140
_TABLE = json.loads((Path(numbers.__file__).parent / "syscalls.json").read_text())
_COLUMN = _TABLE["architectures"].index("SCMP_ARCH_X86_64")
_ROWS = _TABLE["numbers"].items()
# those of Linux 4.18: profiles that engines and test suites ship are as old
OLD_CALLS = {name for name, row in _ROWS if row[_COLUMN] is not None and row[_COLUMN] < 335}


CAPABILITIES = ["CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID"]


@pytest.fixture(autouse=True)
def _able(case: Case) -> None:
    """runc 1.1 crashes where a profile meets a process without `capabilities`."""
    sets = ("bounding", "effective", "permitted")
    case.process["capabilities"] = dict.fromkeys(sets, CAPABILITIES)


def profile(*rules: Config, default: str = "SCMP_ACT_ALLOW", **more: object) -> Config:
    return {"defaultAction": default, "syscalls": list(rules), **more}


def rule(name: str, action: str, *args: Config, **more: object) -> Config:
    return {"names": [name], "action": action, **({"args": list(args)} if args else {}), **more}


def argument(index: int, value: int, operator: str, second: int = 0) -> Config:
    return {"index": index, "value": value, "valueTwo": second, "op": f"SCMP_CMP_{operator}"}


@pytest.mark.parametrize("restricted", [True, False])
def test_errno(case: Case, restricted: bool) -> None:
    """config-linux.md, "Seccomp": SCMP_ACT_ERRNO with its default, EPERM, and with `errnoRet`."""
    case.process["noNewPrivileges"] = restricted
    case.linux["seccomp"] = profile(
        rule("getpgrp", "SCMP_ACT_ERRNO"), rule("getpriority", "SCMP_ACT_ERRNO", errnoRet=95)
    )
    seen = case.see(f"syscall {GETPGRP}", f"syscall {GETPRIORITY} 0 0")
    assert seen[f"syscall {GETPGRP}"] == {"errno": EPERM}
    assert seen[f"syscall {GETPRIORITY} 0 0"] == {"errno": 95}


def test_default_errno(case: Case) -> None:
    """config-linux.md, "Seccomp": `defaultErrnoRet` is that of the default action."""
    rules = rule("getpriority", "SCMP_ACT_ALLOW")
    allowed = [
        "read", "write", "exit_group", "exit", "fstat", "newfstatat", "brk", "mmap", "execve",
        "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "prlimit64", "readlink",
        "readlinkat", "getrandom", "mprotect", "uname", "ioctl", "close", "futex", "prctl",
        "rt_sigaction", "rt_sigprocmask", "close_range", "lseek", "capget", "capset", "openat",
        "open", "fcntl", "munmap", "gettid", "getpid", "epoll_ctl", "epoll_pwait", "sigaltstack",
        "rt_sigreturn", "tgkill", "sched_yield", "nanosleep", "clone", "clone3", "madvise",
        "seccomp", "getdents64", "fstatfs", "chdir", "getcwd", "setgroups", "setgid", "setuid",
        "faccessat2", "faccessat", "stat", "lstat", "statx", "pipe2", "wait4", "dup3", "kill",
    ]  # fmt: skip
    case.process["noNewPrivileges"] = True
    case.linux["seccomp"] = profile(
        {"names": allowed, "action": "SCMP_ACT_ALLOW"},
        rules,
        default="SCMP_ACT_ERRNO",
        defaultErrnoRet=ENOSYS,
    )
    seen = case.see(f"syscall {GETPGRP}", f"syscall {GETPRIORITY} 0 0")
    assert seen[f"syscall {GETPGRP}"] == {"errno": ENOSYS}
    assert seen[f"syscall {GETPRIORITY} 0 0"] == 20


@pytest.mark.parametrize("hooked", [False, True])
def test_a_profile_older_than_the_runtime(case: Case, hooked: bool) -> None:
    """config-linux.md, "Seccomp": what the runtime calls after loading it need not be in it.

    Without noNewPrivileges the filter comes before the privileges go (seccomp(2)).
    """
    known = sorted(OLD_CALLS - {"getpgrp"})
    if hooked:
        hook = {"path": "/see", "args": ["/see", "+", "exit", "0"], "timeout": 20}
        case.config["hooks"] = {"startContainer": [hook]}
    case.process["noNewPrivileges"] = False
    rules = {"names": known, "action": "SCMP_ACT_ALLOW"}
    case.linux["seccomp"] = profile(rules, default="SCMP_ACT_ERRNO")
    assert case.one(f"syscall {GETPGRP}") == {"errno": EPERM}


@pytest.mark.parametrize("action", ["SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"])
def test_kill_and_trap(case: Case, action: str) -> None:
    """config-linux.md, "Seccomp": the process dies of SIGSYS."""
    case.linux["seccomp"] = profile(rule("getpriority", action))
    assert case.run(f"syscall {GETPRIORITY} 0 0").returncode == 128 + signal.SIGSYS


def test_log_allows(case: Case) -> None:
    """config-linux.md, "Seccomp": SCMP_ACT_LOG lets the call pass."""
    case.linux["seccomp"] = profile(rule("getpgrp", "SCMP_ACT_LOG"))
    assert case.one(f"syscall {GETPGRP}") == 1


@pytest.mark.parametrize(
    ("operator", "value", "second", "denied", "passed"),
    [
        ("EQ", 5, 0, (5,), (4, 6)),
        ("NE", 5, 0, (4, 6), (5,)),
        ("LT", 5, 0, (0, 4), (5, 6)),
        ("LE", 5, 0, (4, 5), (6,)),
        ("GT", 5, 0, (6,), (4, 5)),
        ("GE", 5, 0, (5, 6), (4,)),
        ("MASKED_EQ", 0xF0, 0x50, (0x50, 0x5F), (0x40, 0x60)),
    ],
)
def test_operators(
    case: Case, operator: str, value: int, second: int, denied: tuple[int, ...],
    passed: tuple[int, ...],
) -> None:  # fmt: skip
    """config-linux.md, "Seccomp": `args` compare an argument by an operator."""
    condition = argument(1, value, operator, second)
    case.linux["seccomp"] = profile(rule("getpriority", "SCMP_ACT_ERRNO", condition, errnoRet=95))
    seen = case.see(*(f"syscall {GETPRIORITY} 99 {number}" for number in (*denied, *passed)))
    for number in (*denied, *passed):
        # 99 is no kind of priority: what comes through is refused by the call itself
        assert seen[f"syscall {GETPRIORITY} 99 {number}"] == {
            "errno": 95 if number in denied else 22
        }


def test_conditions_of_a_rule_are_all_to_hold(case: Case) -> None:
    """config-linux.md, "Seccomp": conditions on different arguments are joined by and."""
    case.linux["seccomp"] = profile(
        rule("getpriority", "SCMP_ACT_ERRNO", argument(0, 99, "EQ"), argument(1, 5, "EQ"),
             errnoRet=95)
    )  # fmt: skip
    seen = case.see(f"syscall {GETPRIORITY} 99 5", f"syscall {GETPRIORITY} 99 6")
    assert seen[f"syscall {GETPRIORITY} 99 5"] == {"errno": 95}
    assert seen[f"syscall {GETPRIORITY} 99 6"] == {"errno": 22}


def test_an_unknown_call_is_allowed_in_vain(case: Case) -> None:
    """config-linux.md, "Seccomp": a profile may name calls that only other kernels have."""
    case.linux["seccomp"] = profile(
        rule("no_such_call", "SCMP_ACT_ALLOW"), rule("getpgrp", "SCMP_ACT_ERRNO")
    )
    assert case.one("pid") == 1


@pytest.mark.differs(builtin="refuses a rule that would deny a call it does not know")
def test_an_unknown_call_is_denied_in_vain(case: Case) -> None:
    """config-linux.md, "Seccomp": libseccomp leaves out a rule for a call it does not know."""
    case.linux["seccomp"] = profile(rule("no_such_call", "SCMP_ACT_ERRNO"))
    assert case.one("pid") == 1


@pytest.mark.parametrize("action", ["SCMP_ACT_NOSUCH", "", "kill"])
def test_an_unknown_action_is_refused(case: Case, action: str) -> None:
    """config-linux.md, "Seccomp": actions are the listed ones."""
    case.linux["seccomp"] = profile(rule("getpgrp", action))
    case.refused()


def test_exec_is_filtered_too(case: Case) -> None:
    """config-linux.md, "Seccomp": the filter is the container's: for every process of it."""
    case.linux["seccomp"] = profile(rule("getpgrp", "SCMP_ACT_ERRNO"))
    case.start()
    request = f"syscall {GETPGRP}"
    assert case.execute(request)[request] == {"errno": EPERM}
