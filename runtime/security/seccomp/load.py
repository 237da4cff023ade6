"""Compile a profile, or take it from the cache, and load it into the calling process.

`prepare` reads files: it is called before the container's root is entered. `install` makes one
system call and is called right before exec (or before the privileges for it are dropped).
"""

from __future__ import annotations

import binascii
import os

from runtime.errors import KernelFault, NotSupported
from runtime.linux import seccomp as kernel
from runtime.linux.constants import MACHINE
from runtime.security.seccomp.compile import compile_profile
from runtime.security.seccomp.numbers import NATIVE, read_numbers
from runtime.security.seccomp.profile import parse_profile
from runtime.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.security.seccomp.profile import Object

# the number goes up with every change of what a profile is compiled to
_MAGIC = b"stacker seccomp 2\n"


class Filter:
    """A compiled profile: ready to load, nothing left to read."""

    __slots__ = ("flags", "notifies", "program")

    def __init__(self, program: bytes, flags: int, *, notifies: bool) -> None:
        self.program = program
        self.flags = flags
        self.notifies = notifies
        """`install` gives a listener's fd, which belongs to whom `listenerPath` names."""


def prepare(seccomp: Object, cache_directory: str | None = None) -> Filter:
    """The filter for a `linux.seccomp` object.

    The cache holds the text it was compiled from as well: a file whose name fits by chance, or
    that was cut short, is not taken for the profile. Its directory must be the runtime's own.
    """
    native = NATIVE.get(MACHINE)
    if native is None:
        raise NotSupported(f"linux.seccomp: there is no table of system calls for {MACHINE}")
    profile = parse_profile(seccomp, native)
    text = json.dumps([MACHINE, seccomp], sort_keys=True, separators=(",", ":")).encode()
    path = None
    if cache_directory is not None:
        path = f"{cache_directory}/{binascii.crc32(text):08x}-{len(text)}.bpf"
    program = None if path is None else _read(path, text)
    if program is None:
        program = compile_profile(profile, read_numbers())
        if path is not None:
            _write(path, text, program)
    return Filter(program, profile.flags, notifies=profile.notifies)


def install(loaded: Filter) -> int | None:
    """Load into the calling process; gives the listener's fd where the profile has one.

    Needs no_new_privs or CAP_SYS_ADMIN. No import, no file.
    """
    flags = loaded.flags
    if loaded.notifies:
        flags |= kernel.SECCOMP_FILTER_FLAG_NEW_LISTENER
        if flags & kernel.SECCOMP_FILTER_FLAG_TSYNC:
            # else both want the result of the call for themselves (seccomp(2))
            flags |= kernel.SECCOMP_FILTER_FLAG_TSYNC_ESRCH
    else:
        # the kernel refuses it without a listener; there is nothing to receive
        flags &= ~kernel.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
    try:
        descriptor = kernel.load_filter(loaded.program, flags)
    except OSError as error:
        raise KernelFault(
            "load the seccomp filter", error.errno or 0, error.strerror or ""
        ) from error
    return descriptor if loaded.notifies else None


def _read(path: str, text: bytes) -> bytes | None:
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError:
        return None
    head = _MAGIC + len(text).to_bytes(4, "little") + text
    if not content.startswith(head):
        return None
    program = content[len(head) + 4 :]
    size = int.from_bytes(content[len(head) : len(head) + 4], "little")
    return program if program and len(program) == size else None


def _write(path: str, text: bytes, program: bytes) -> None:
    """A cache that cannot be written costs time, nothing else."""
    content = b"".join(
        (
            _MAGIC,
            len(text).to_bytes(4, "little"),
            text,
            len(program).to_bytes(4, "little"),
            program,
        )
    )
    temporary = f"{path}.{os.getpid()}"
    try:
        with open(temporary, "xb") as file:
            file.write(content)
        os.replace(temporary, path)
    except OSError:
        return
