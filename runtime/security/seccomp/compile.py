"""A profile as classic BPF. Pure: profile and table in, bytes out.

Layout: the architecture picks a search tree over the numbers of system calls; neighbours with the
same answer are one leaf, so that a profile of 400 names has about 8 comparisons on every way.

Rule 1: of the rules for a system call the first one whose conditions all hold decides; those
without conditions come after all with conditions; none at all: the default action.
Rule 2: a call from an architecture without rules ends the process.
Rule 3: where the default is an error, numbers above the highest one that the profile names answer
ENOSYS, as an older kernel would: C libraries fall back on ENOSYS, not on EPERM (runc does so too).
Rule 4: on 32-bit x86 a rule that denies a call denies it by way of socketcall and ipc as well.
"""

from __future__ import annotations

from runtime.errors import SpecInvalid
from runtime.security.seccomp import actions, assembler, multiplexed
from runtime.security.seccomp.assembler import Assembler
from runtime.security.seccomp.multiplexed import second_ways
from runtime.security.seccomp.numbers import AUDIT, NARROW, PRIVATE, X32_BIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.security.seccomp.numbers import Numbers
    from runtime.security.seccomp.profile import Condition, Profile, Rule

    # answers by condition, in order; the last one has none
    Outcome = tuple[tuple[tuple[Condition, ...], int], ...]
    Segment = tuple[int, str, Outcome]

# struct seccomp_data: nr, arch, instruction pointer, six arguments of 64 bits
_NUMBER_AT = 0
_ARCHITECTURE_AT = 4
_ARGUMENTS_AT = 16
_LOW = 0xFFFFFFFF

_NEGATED = {
    "SCMP_CMP_NE": "SCMP_CMP_EQ",
    "SCMP_CMP_LT": "SCMP_CMP_GE",
    "SCMP_CMP_LE": "SCMP_CMP_GT",
}


def compile_profile(profile: Profile, numbers: Numbers) -> bytes:
    _check_names(profile, numbers)
    code = Assembler()
    next_architecture = code.answer(actions.KILL_PROCESS)
    outcomes: dict[object, int] = {}
    by_audit: dict[int, list[str]] = {}
    for architecture in profile.architectures:
        by_audit.setdefault(AUDIT[architecture], []).append(architecture)
    for audit, architectures in reversed(by_audit.items()):
        segments = _segments(profile, numbers, architectures)
        tree = _tree(code, segments, outcomes)
        start = code.load(_NUMBER_AT, tree)
        next_architecture = code.branch(assembler.JUMP_EQUAL, audit, start, next_architecture)
    code.load(_ARCHITECTURE_AT, next_architecture)
    if len(code) > assembler.LONGEST_PROGRAM:
        raise SpecInvalid(
            f"linux.seccomp: {len(code)} instructions, the kernel takes {assembler.LONGEST_PROGRAM}"
        )
    return code.program()


def _check_names(profile: Profile, numbers: Numbers) -> None:
    """A name nobody knows may be left out, unless the default would let the call pass then.

    Profiles name calls of newer kernels; where the default denies, such a call is denied anyway.
    """
    if profile.default not in (actions.ALLOW, actions.LOG):
        return
    for rule in profile.rules:
        if rule.action in (actions.ALLOW, actions.LOG):
            continue
        for name in rule.names:
            if not numbers.is_name(name):
                raise SpecInvalid(
                    f"linux.seccomp.syscalls: no system call is named {name!r}, "
                    "and a rule that denies it cannot be left out"
                )


def _segments(profile: Profile, numbers: Numbers, architectures: list[str]) -> list[Segment]:
    """(first number, architecture, outcome), ascending and without gaps."""
    ordinary = [name for name in architectures if name != "SCMP_ARCH_X32"]
    segments: list[Segment] = []
    if ordinary:
        segments += _part(profile, numbers, ordinary[0], 0)
    else:
        segments.append((0, "", (((), actions.KILL_PROCESS),)))
    if "SCMP_ARCH_X32" in architectures:
        segments += _part(profile, numbers, "SCMP_ARCH_X32", X32_BIT)
    elif "SCMP_ARCH_X86_64" in architectures:
        # the same AUDIT_ARCH serves both; without rules for x32 its calls are a foreigner's
        segments.append((X32_BIT, "", (((), actions.KILL_PROCESS),)))
    return segments


def _part(profile: Profile, numbers: Numbers, architecture: str, first: int) -> list[Segment]:
    table = _outcomes(profile, numbers, architecture)
    default: Outcome = (((), profile.default),)
    segments: list[Segment] = [(first, architecture, default)]

    def begin(number: int, outcome: Outcome) -> None:
        if segments[-1][0] == number:
            segments.pop()
        if not segments or segments[-1][2] != outcome:
            segments.append((number, architecture, outcome))

    unheard = (((), actions.NO_SUCH_CALL),) if actions.is_error(profile.default) else default
    newest = max((number for number in table if number & ~X32_BIT < PRIVATE), default=None)
    following = first
    for number in sorted(table):
        if number != following:
            begin(following, default if newest is None or following <= newest else unheard)
        begin(number, table[number])
        following = number + 1
    begin(following, default if newest is None else unheard)
    return segments


def _outcomes(profile: Profile, numbers: Numbers, architecture: str) -> dict[int, Outcome]:
    rules: dict[int, list[Rule]] = {}
    second = second_ways(profile) if architecture == multiplexed.ARCHITECTURE else []
    for rule in (*profile.rules, *second):
        for number in numbers.of(architecture, rule.names):
            rules.setdefault(number, []).append(rule)
    plain: dict[int, Outcome] = {}
    outcomes: dict[int, Outcome] = {}
    for number, found in rules.items():
        if len(found) == 1 and not found[0].conditions:
            action = found[0].action
            outcome = plain.get(action)
            if outcome is None:
                outcome = plain[action] = (((), action),)
            outcomes[number] = outcome
            continue
        conditional = tuple((rule.conditions, rule.action) for rule in found if rule.conditions)
        last = next((rule.action for rule in found if not rule.conditions), profile.default)
        outcomes[number] = (*conditional, ((), last))
    return outcomes


def _tree(code: Assembler, segments: list[Segment], outcomes: dict[object, int]) -> int:
    """Halve until one is left."""
    if len(segments) == 1:
        _, architecture, outcome = segments[0]
        return _leaf(code, outcome, outcomes, narrow=architecture in NARROW)
    middle = len(segments) // 2
    right = _tree(code, segments[middle:], outcomes)
    left = _tree(code, segments[:middle], outcomes)
    return code.branch(assembler.JUMP_GREATER_EQUAL, segments[middle][0], right, left)


def _leaf(code: Assembler, outcome: Outcome, outcomes: dict[object, int], *, narrow: bool) -> int:
    *conditional, (_, last) = outcome
    if not conditional:
        return code.answer(last)
    key = (
        narrow,
        tuple((tuple(condition.key for condition in all_of), action) for all_of, action in outcome),
    )
    label = outcomes.get(key)
    if label is None:
        label = code.answer(last)
        for all_of, action in reversed(conditional):
            matched = code.answer(action)
            for condition in reversed(all_of):
                matched = _compare(code, condition, matched, label, narrow=narrow)
            label = matched
        outcomes[key] = label
    return label


def _compare(
    code: Assembler, condition: Condition, when_true: int, when_false: int, *, narrow: bool
) -> int:
    operator = condition.operator
    if operator in _NEGATED:
        operator = _NEGATED[operator]
        when_true, when_false = when_false, when_true
    low_at = _ARGUMENTS_AT + 8 * condition.index
    low, high = condition.value & _LOW, condition.value >> 32
    if operator == "SCMP_CMP_MASKED_EQ":
        label = _masked(code, low_at, (low, condition.second & _LOW), when_true, when_false)
        if not narrow:
            halves = (high, condition.second >> 32)
            label = _masked(code, low_at + 4, halves, label, when_false)
        return label
    last = {
        "SCMP_CMP_EQ": assembler.JUMP_EQUAL,
        "SCMP_CMP_GT": assembler.JUMP_GREATER,
        "SCMP_CMP_GE": assembler.JUMP_GREATER_EQUAL,
    }[operator]
    label = code.load(low_at, code.branch(last, low, when_true, when_false))
    if narrow:
        return label
    label = code.branch(assembler.JUMP_EQUAL, high, label, when_false)
    if operator != "SCMP_CMP_EQ":
        label = code.branch(assembler.JUMP_GREATER, high, when_true, label)
    return code.load(low_at + 4, label)


def _masked(
    code: Assembler, offset: int, halves: tuple[int, int], when_true: int, when_false: int
) -> int:
    """One half of `argument & mask == wanted`; a mask of nothing needs no look at it."""
    mask, wanted = halves
    if mask == 0:
        return when_true if wanted == 0 else when_false
    label = code.branch(assembler.JUMP_EQUAL, wanted, when_true, when_false)
    if mask != _LOW:
        label = code.mask(mask, label)
    return code.load(offset, label)
