"""Classic BPF, written from its last instruction to its first. Pure.

All jumps of classic BPF lead forward, and the conditional ones at most 255 instructions. Written
backwards, every target exists before the jump to it, and a target that is too far gets a step in
between at the moment it turns out to be. A label is the index of an instruction from the end.
(kernel: networking/filter.rst; include/uapi/linux/bpf_common.h)
"""

from __future__ import annotations

import struct

LOAD = 0x20  # ld [k]: a 32-bit word of struct seccomp_data
AND = 0x54
JUMP = 0x05
JUMP_EQUAL = 0x15
JUMP_GREATER = 0x25
JUMP_GREATER_EQUAL = 0x35
RETURN = 0x06

LONGEST_PROGRAM = 4096  # BPF_MAXINSNS
_FARTHEST = 255

_INSTRUCTION = struct.Struct("=HBBI")  # struct sock_filter


class Assembler:
    __slots__ = ("_code", "_nearest", "_returns")

    def __init__(self) -> None:
        self._code: list[tuple[int, int, int, int]] = []
        self._returns: dict[int, int] = {}
        self._nearest: dict[int, int] = {}
        """The latest step in between for a label that went out of reach."""

    def answer(self, action: int) -> int:
        """End with this answer."""
        label = self._returns.get(action)
        if label is None:
            label = self._returns[action] = self._emit(RETURN, 0, 0, action)
        return label

    def load(self, offset: int, then: int) -> int:
        self._fall_into(then)
        return self._emit(LOAD, 0, 0, offset)

    def mask(self, value: int, then: int) -> int:
        self._fall_into(then)
        return self._emit(AND, 0, 0, value)

    def branch(self, code: int, value: int, when_true: int, when_false: int) -> int:
        """Compare the word that was loaded."""
        while True:
            when_true = self._nearest_of(when_true)
            when_false = self._nearest_of(when_false)
            if not self._reaches(when_true):
                when_true = self._step(when_true)
            elif not self._reaches(when_false):
                when_false = self._step(when_false)
            else:
                here = len(self._code) - 1
                return self._emit(code, here - when_true, here - when_false, value)

    def program(self) -> bytes:
        """The instructions in the order the kernel runs them; the latest emitted is the first."""
        return b"".join(_INSTRUCTION.pack(*instruction) for instruction in reversed(self._code))

    def __len__(self) -> int:
        return len(self._code)

    def _emit(self, code: int, jump_true: int, jump_false: int, value: int) -> int:
        self._code.append((code, jump_true, jump_false, value))
        return len(self._code) - 1

    def _reaches(self, label: int) -> bool:
        return len(self._code) - 1 - label <= _FARTHEST

    def _nearest_of(self, label: int) -> int:
        while label in self._nearest:
            label = self._nearest[label]
        return label

    def _step(self, label: int) -> int:
        """A copy of an answer, or a long jump: both are one instruction."""
        code, _, _, value = self._code[label]
        if code == RETURN:
            step = self._emit(RETURN, 0, 0, value)
            self._returns[value] = step
        else:
            step = self._emit(JUMP, 0, 0, len(self._code) - 1 - label)
        self._nearest[label] = step
        return step

    def _fall_into(self, label: int) -> None:
        distance = len(self._code) - 1 - label
        if distance:
            self._emit(JUMP, 0, 0, distance)
