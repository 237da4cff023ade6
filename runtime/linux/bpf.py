"""eBPF programs on cgroups (bpf(2)): load, attach, detach, list. Used for devices on cgroup v2."""

from __future__ import annotations

import ctypes
import errno
import struct

from runtime.linux.constants import SYS_BPF
from runtime.linux.libc import syscall

_PROG_LOAD = 5
_PROG_ATTACH = 8
_PROG_DETACH = 9
_PROG_GET_FD_BY_ID = 13
_OBJ_GET_INFO_BY_FD = 15
_PROG_QUERY = 16

PROG_TYPE_CGROUP_DEVICE = 15
ATTACH_CGROUP_DEVICE = 6
F_ALLOW_MULTI = 2
F_REPLACE = 4

_LOG_SIZE = 65536
_QUERY_LIMIT = 64


# struct bpf_prog_info: where its 16 bytes of name are
_NAME_AT = 64
_NAME_SIZE = 16


def load_program(
    kind: int, instructions: bytes, program_name: str = "", license_name: str = "Apache-2.0"
) -> int:
    """Verify and load a program; a refusal carries the verifier's last line."""
    code = ctypes.create_string_buffer(instructions, len(instructions))
    name = ctypes.create_string_buffer(license_name.encode("ascii"))

    def attribute(log_level: int, log: ctypes.Array[ctypes.c_char] | None) -> bytes:
        return struct.pack(
            f"=IIQQIIQII{_NAME_SIZE}s",
            kind,
            len(instructions) // 8,
            ctypes.addressof(code),
            ctypes.addressof(name),
            log_level,
            0 if log is None else len(log),
            0 if log is None else ctypes.addressof(log),
            0,
            0,
            program_name.encode("ascii"),
        )

    try:
        return _bpf(_PROG_LOAD, attribute(0, None))
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EINVAL):
            raise
        log = ctypes.create_string_buffer(_LOG_SIZE)
        try:
            return _bpf(_PROG_LOAD, attribute(1, log))
        except OSError as refused:
            lines = log.value.decode("utf-8", "replace").strip().splitlines()
            # the statistics ("processed 3 insns ...") come after the reason
            reasons = [line for line in lines if not line.startswith("processed ")]
            reason = reasons[-1] if reasons else str(refused.strerror)
            raise OSError(refused.errno, f"bpf program refused: {reason}") from None


def attach_program(
    cgroup: int, program: int, kind: int, flags: int = F_ALLOW_MULTI, replaces: int = 0
) -> None:
    _bpf(_PROG_ATTACH, struct.pack("=IIIII", cgroup, program, kind, flags, replaces))


def detach_program(cgroup: int, program: int, kind: int) -> None:
    _bpf(_PROG_DETACH, struct.pack("=IIIII", cgroup, program, kind, 0, 0))


def attached_programs(cgroup: int, kind: int) -> list[int]:
    """The ids of the programs attached to this very cgroup."""
    ids = (ctypes.c_uint32 * _QUERY_LIMIT)()
    attribute = ctypes.create_string_buffer(64)
    struct.pack_into(
        "=IIIIQI", attribute, 0, cgroup, kind, 0, 0, ctypes.addressof(ids), _QUERY_LIMIT
    )
    syscall(SYS_BPF, _PROG_QUERY, attribute, len(attribute))
    (count,) = struct.unpack_from("=I", attribute, 24)
    return list(ids[:count])


def program_by_id(identity: int) -> int:
    return _bpf(_PROG_GET_FD_BY_ID, struct.pack("=III", identity, 0, 0))


def program_name(program: int) -> str:
    """What it was called when it was loaded; empty where nobody said."""
    info = ctypes.create_string_buffer(_NAME_AT + _NAME_SIZE)
    _bpf(_OBJ_GET_INFO_BY_FD, struct.pack("=IIQ", program, len(info), ctypes.addressof(info)))
    return info.raw[_NAME_AT:].partition(b"\0")[0].decode("ascii", "replace")


def _bpf(command: int, attribute: bytes) -> int:
    return syscall(SYS_BPF, command, attribute, len(attribute))
