"""The calls that 32-bit x86 has a second way to: by a number in the first argument of another one.

A rule that denies such a call has to deny that way too (socketcall(2), ipc(2)). What a rule says of
arguments cannot be looked at there, as they lie behind a pointer: the call is denied whatever they
are. A rule that allows a call allows the call itself alone. Pure.
"""

from __future__ import annotations

from runtime.security.seccomp import actions
from runtime.security.seccomp.profile import Condition, Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.security.seccomp.profile import Profile

ARCHITECTURE = "SCMP_ARCH_X86"
# linux/net.h, from 1 on
_SOCKETCALL = (
    "socket", "bind", "connect", "listen", "accept", "getsockname", "getpeername", "socketpair",
    "send", "recv", "sendto", "recvfrom", "shutdown", "setsockopt", "getsockopt", "sendmsg",
    "recvmsg", "accept4", "recvmmsg", "sendmmsg",
)  # fmt: skip
# linux/ipc.h; the upper half of the argument is a version
_IPC = {
    "semop": 1, "semget": 2, "semctl": 3, "semtimedop": 4, "msgsnd": 11, "msgrcv": 12,
    "msgget": 13, "msgctl": 14, "shmat": 21, "shmdt": 22, "shmget": 23, "shmctl": 24,
}  # fmt: skip
WAYS = {
    **{name: ("socketcall", 0xFFFFFFFF, number) for number, name in enumerate(_SOCKETCALL, 1)},
    **{name: ("ipc", 0xFFFF, number) for name, number in _IPC.items()},
}
"""Name → the call that it is a part of, and which bits of its first argument are to be what."""


def second_ways(profile: Profile) -> list[Rule]:
    """The rules that follow from a profile's, for `ARCHITECTURE`."""
    passing = (actions.ALLOW, actions.LOG, profile.default)
    return [
        Rule((call,), rule.action, (Condition(0, "SCMP_CMP_MASKED_EQ", mask, number),))
        for rule in profile.rules
        if rule.action not in passing
        for name in rule.names
        if name in WAYS
        for call, mask, number in (WAYS[name],)
    ]
