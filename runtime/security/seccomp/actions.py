"""What a filter may answer, as numbers (kernel: include/uapi/linux/seccomp.h). Pure."""

from __future__ import annotations

from runtime.errors import SpecInvalid

KILL_PROCESS = 0x80000000
KILL_THREAD = 0x00000000
TRAP = 0x00030000
ERRNO = 0x00050000
NOTIFY = 0x7FC00000
TRACE = 0x7FF00000
LOG = 0x7FFC0000
ALLOW = 0x7FFF0000

_DATA = 0xFFFF
_EPERM = 1
_ENOSYS = 38

ACTIONS = {
    "SCMP_ACT_KILL": KILL_THREAD,
    "SCMP_ACT_KILL_THREAD": KILL_THREAD,
    "SCMP_ACT_KILL_PROCESS": KILL_PROCESS,
    "SCMP_ACT_TRAP": TRAP,
    "SCMP_ACT_ERRNO": ERRNO,
    "SCMP_ACT_TRACE": TRACE,
    "SCMP_ACT_ALLOW": ALLOW,
    "SCMP_ACT_LOG": LOG,
    "SCMP_ACT_NOTIFY": NOTIFY,
}
_WITH_DATA = (ERRNO, TRACE)

NO_SUCH_CALL = ERRNO | _ENOSYS


def action_number(name: object, errno_ret: object, where: str) -> int:
    """The filter's answer: the action, and the error number it carries (EPERM by default)."""
    action = ACTIONS.get(name) if isinstance(name, str) else None
    if action is None:
        raise SpecInvalid(f"{where}: {name!r} is not an action")
    if errno_ret is None:
        return action | (_EPERM if action in _WITH_DATA else 0)
    # a JSON true is an int to Python
    if not isinstance(errno_ret, int) or isinstance(errno_ret, bool) or not 0 <= errno_ret <= _DATA:
        raise SpecInvalid(f"{where}: errnoRet {errno_ret!r} is not between 0 and {_DATA}")
    if action not in _WITH_DATA:
        raise SpecInvalid(f"{where}: errnoRet has no meaning for {name}")
    return action | errno_ret


def is_error(action: int) -> bool:
    return action & ~_DATA == ERRNO
