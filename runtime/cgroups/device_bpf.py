"""Device rules as a program for BPF_PROG_TYPE_CGROUP_DEVICE: version 2 has no files for them.

Pure. The kernel runs the program when a process of the cgroup opens or makes a device node, and
lets it pass where the result is 1 (kernel: include/uapi/linux/bpf.h, struct bpf_cgroup_dev_ctx).

Rule: every access asked for (read, write, mknod) is decided on its own by the last rule that
speaks of it, and all of them must be allowed. So the rules are walked from the last to the
first: an allowing rule crosses off what it grants, a denying one ends it when it meets something
still asked for. What no rule speaks of is allowed, as for a new cgroup of version 1.
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.device_rules import DeviceRule

_KINDS = {"b": 1, "c": 2}  # BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_DEV_CHAR
_ACCESSES = {"m": 1, "r": 2, "w": 4}  # BPF_DEVCG_ACC_MKNOD, _READ, _WRITE

# registers
_RESULT, _CONTEXT, _KIND, _ASKED, _MAJOR, _MINOR, _MET = 0, 1, 2, 3, 4, 5, 6

# opcodes (kernel: bpf/standardization/instruction-set.rst); the ALU ones are 32 bits wide
_LOAD_WORD = 0x61
_MOVE = 0xB4
_COPY = 0xBC
_AND = 0x54
_SHIFT_RIGHT = 0x74
_JUMP_EQUAL = 0x15
_JUMP_NOT_EQUAL = 0x55
_EXIT = 0x95

_INSTRUCTION = struct.Struct("<BBhi")


def device_program(rules: list[DeviceRule]) -> bytes:
    prologue = [
        _op(_LOAD_WORD, _KIND, source=_CONTEXT, offset=0),
        _op(_COPY, _ASKED, source=_KIND),
        _op(_AND, _KIND, value=0xFFFF),
        _op(_SHIFT_RIGHT, _ASKED, value=16),
        _op(_LOAD_WORD, _MAJOR, source=_CONTEXT, offset=4),
        _op(_LOAD_WORD, _MINOR, source=_CONTEXT, offset=8),
    ]
    blocks: list[bytes] = []
    last_word = True
    for rule in reversed(rules):
        if rule.is_reset:
            last_word = rule.allow
            break
        blocks.append(_block(rule))
    return b"".join(prologue) + b"".join(blocks) + _end(last_word)


def _block(rule: DeviceRule) -> bytes:
    accesses = sum(_ACCESSES[letter] for letter in set(rule.access))
    if rule.allow:
        body = [
            _op(_AND, _ASKED, value=~accesses & 7),
            _op(_JUMP_NOT_EQUAL, _ASKED, value=0, offset=2),
            _end(True),
        ]
    else:
        body = [
            _op(_COPY, _MET, source=_ASKED),
            _op(_AND, _MET, value=accesses),
            _op(_JUMP_EQUAL, _MET, value=0, offset=2),
            _end(False),
        ]
    checks = [(_KIND, _KINDS[rule.kind])]
    checks += [(_MAJOR, rule.major)] if rule.major is not None else []
    checks += [(_MINOR, rule.minor)] if rule.minor is not None else []
    code = b"".join(body)
    for register, value in reversed(checks):
        skipped = len(code) // _INSTRUCTION.size
        code = _op(_JUMP_NOT_EQUAL, register, value=value, offset=skipped) + code
    return code


def _end(allowed: bool) -> bytes:
    return _op(_MOVE, _RESULT, value=int(allowed)) + _op(_EXIT, 0)


def _op(code: int, target: int, *, source: int = 0, offset: int = 0, value: int = 0) -> bytes:
    # an immediate is signed; major numbers reach 2^12 and minor ones 2^20, so it never wraps
    return _INSTRUCTION.pack(code, source << 4 | target, offset, value)
