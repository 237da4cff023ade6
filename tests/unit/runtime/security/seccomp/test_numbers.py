"""The table of system calls: unambiguous, and right where it is easy to be wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import runtime.security.seccomp
from runtime.security.seccomp.numbers import X32_BIT, read_numbers

TABLE = json.loads(Path(runtime.security.seccomp.__file__).with_name("syscalls.json").read_text())


@pytest.mark.parametrize("column", range(len(TABLE["architectures"])))
def test_no_number_has_two_names(column: int) -> None:
    numbers = [row[column] for row in TABLE["numbers"].values() if row[column] is not None]
    assert len(numbers) == len(set(numbers))
    assert len(numbers) > 300


def test_known_numbers() -> None:
    numbers = read_numbers()
    name = ("execve",)
    assert numbers.of("SCMP_ARCH_X86_64", name) == [59]
    assert numbers.of("SCMP_ARCH_X86", name) == [11]
    assert numbers.of("SCMP_ARCH_X32", name) == [520 | X32_BIT]
    assert numbers.of("SCMP_ARCH_AARCH64", name) == [221]
    assert numbers.of("SCMP_ARCH_RISCV64", name) == [221]
    assert numbers.of("SCMP_ARCH_AARCH64", ("open", "fork", "mmap")) == [222]
    assert numbers.of("SCMP_ARCH_X86", ("socketcall", "socket")) == [102, 359]
    names = ("execve", "getdents64", "socket", "statx", "clock_gettime64", "clone3", "set_tls")
    assert numbers.of("SCMP_ARCH_ARM", names) == [11, 217, 281, 397, 403, 435, 0xF0005]
    assert numbers.of("SCMP_ARCH_ARM", ("socketcall", "time", "mmap", "select")) == []


def test_numbers_agree_with_the_headers_of_this_machine() -> None:
    header = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
    if not header.exists():
        pytest.skip("no kernel headers")
    numbers = read_numbers()
    for line in header.read_text().splitlines():
        words = line.split()
        if len(words) == 3 and words[1].startswith("__NR_"):
            assert numbers.of("SCMP_ARCH_X86_64", (words[1][5:],)) == [int(words[2])]
