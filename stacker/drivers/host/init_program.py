"""The program that ``init: true`` puts above a service's command: PID 1 that reaps and forwards.

It is made here from a listing of its machine code, one static ELF file of a few hundred bytes, so
that nothing has to be installed and nothing of the host's Python stays in the container. On a
machine that has no listing, an init program that the host has is taken.
"""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path

LISTINGS = {"x86_64": ("init_x86_64.lst", 62)}
"""By uname's machine: the listing, and its number in the ELF header (elf.h, EM_X86_64)."""

INSTALLED = ("docker-init", "tini-static", "tini", "catatonit")

BASE = 0x400000
HEADERS = 64 + 56
"""Bytes before the code: the ELF header and one program header (elf(5))."""


def init_program(root: Path) -> str | None:
    """Write the program below the state root, and return its path; None: there is none.

    Not below the run directory: Debian mounts /run with noexec (initramfs-tools), and a bind mount
    of a file there has it too (mount(8)).
    """
    listed = LISTINGS.get(os.uname().machine)
    if listed is None:
        return next((path for name in INSTALLED if (path := shutil.which(name))), None)

    listing, machine = listed
    content = elf(assembled((Path(__file__).parent / listing).read_text()), machine=machine)
    path = root / "init"
    if not path.exists() or path.read_bytes() != content:
        fresh = root / ".init.new"
        fresh.write_bytes(content)
        fresh.chmod(0o755)
        fresh.rename(path)
    return os.fspath(path)


def assembled(listing: str) -> bytes:
    """Read the hex before the ``;`` of each line; ``#`` begins a comment line."""
    lines = (line.partition(";")[0] for line in listing.splitlines() if not line.startswith("#"))
    return bytes.fromhex("".join(lines))


def elf(code: bytes, *, machine: int) -> bytes:
    """Wrap position-independent code as a static executable: one segment, read and execute."""
    size = HEADERS + len(code)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\x02\x01\x01",  # 64 bit, little endian, version 1
        2,  # ET_EXEC
        machine,
        1,
        BASE + HEADERS,  # entry
        64,  # program headers
        0,
        0,
        64,
        56,
        1,
        0,
        0,
        0,
    )
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, BASE, BASE, size, size, 0x1000)
    return header + segment + code
