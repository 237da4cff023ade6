"""Architectures and the numbers that system calls have there. Pure but for reading the table.

`syscalls.json` was taken from the kernel's headers (asm/unistd_64.h, unistd_32.h, unistd_x32.h,
asm-generic/unistd.h of Linux 6.1, arm/tools/syscall.tbl for the EABI, and the numbers that all
architectures share from 451 on).
"""

from __future__ import annotations

import os

from runtime.wire import json

X32_BIT = 0x40000000

PRIVATE = 0x0F0000
"""From here on are ARM's own few: they say nothing of how new a table is."""

# architecture -> AUDIT_ARCH_* (kernel: include/uapi/linux/audit.h)
AUDIT = {
    "SCMP_ARCH_X86_64": 0xC000003E,
    "SCMP_ARCH_X32": 0xC000003E,
    "SCMP_ARCH_X86": 0x40000003,
    "SCMP_ARCH_AARCH64": 0xC00000B7,
    "SCMP_ARCH_ARM": 0x40000028,
    "SCMP_ARCH_RISCV64": 0xC00000F3,
}
NATIVE = {
    "x86_64": "SCMP_ARCH_X86_64",
    "aarch64": "SCMP_ARCH_AARCH64",
    "riscv64": "SCMP_ARCH_RISCV64",
}
# arguments of these are 32 bits wide; the kernel fills the upper half with zeros
NARROW = frozenset({"SCMP_ARCH_X86", "SCMP_ARCH_ARM"})

# known to the specification, with no table here: no process of theirs runs on the machines that
# have one, and a call from an architecture without rules ends the process
FOREIGN = frozenset(
    f"SCMP_ARCH_{name}"
    for name in (
        "LOONGARCH64",
        "M68K",
        "MIPS",
        "MIPS64",
        "MIPS64N32",
        "MIPSEL",
        "MIPSEL64",
        "MIPSEL64N32",
        "PARISC",
        "PARISC64",
        "PPC",
        "PPC64",
        "PPC64LE",
        "S390",
        "S390X",
        "SH",
        "SHEB",
    )
)


class Numbers:
    """The table: numbers of a name by architecture, and names that other machines have."""

    __slots__ = ("_columns", "_elsewhere", "_rows")

    def __init__(
        self, columns: list[str], rows: dict[str, list[int | None]], elsewhere: list[str]
    ) -> None:
        self._columns = {architecture: index for index, architecture in enumerate(columns)}
        self._rows = rows
        self._elsewhere = frozenset(elsewhere)

    def is_name(self, name: str) -> bool:
        """Whether any architecture has a system call of this name."""
        return name in self._rows or name in self._elsewhere

    def of(self, architecture: str, names: tuple[str, ...]) -> list[int]:
        """The numbers of those of the names that the architecture has."""
        column = self._columns[architecture]
        bit = X32_BIT if architecture == "SCMP_ARCH_X32" else 0
        rows = self._rows
        return [
            number | bit
            for name in names
            if name in rows and (number := rows[name][column]) is not None
        ]


def read_numbers() -> Numbers:
    path = os.path.join(os.path.dirname(__file__), "syscalls.json")
    with open(path, encoding="ascii") as file:
        table = json.loads(file.read())
    return Numbers(table["architectures"], table["numbers"], table["elsewhere"])
