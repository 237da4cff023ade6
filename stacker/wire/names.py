"""Which names may be spoken of: checked where a request comes in, before anything looks them up.

The alphabet is the one that OCI runtimes take for container ids; it has no ``/``, no NUL, no
newline, and nothing that a shell, a path or a terminal would read as more than a name.
"""

from __future__ import annotations

from stacker.base.errors import Invalid

_FIRST = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+")
_OTHER = _FIRST | frozenset(".-")
_LONGEST = 255


def check_name(what: str, name: str) -> str:
    """Return the name, or raise Invalid that says what it should have been the name of."""
    if not name or len(name) > _LONGEST or name[0] not in _FIRST or not _OTHER.issuperset(name):
        raise Invalid(f"{name[:80]!r} is not the name of a {what}")
    return name


def check_names(what: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names when each is one."""
    return tuple(check_name(what, name) for name in names)


def check_path(what: str, path: str) -> str:
    """Return an absolute path that a system call could take."""
    if not path.startswith("/") or "\0" in path or len(path) > 4096:
        raise Invalid(f"{what}: {path[:80]!r} is not an absolute path")
    return path
