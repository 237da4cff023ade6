"""An interpreter that nobody can write through /proc/<pid>/exe (CVE-2019-5736).

A process that enters a container shows the host's Python there. It is therefore started from a
detached read-only mount of the interpreter's file: the mount has no name, so nothing can remount
it, and every page is still shared with the host's other Pythons. Where the kernel has no
mount_setattr (before 5.12), or the caller may not mount, a sealed copy in memory takes its place.
"""

from __future__ import annotations

import os
import sys

from runtime.linux.constants import AT_FDCWD
from runtime.linux.fds import sealed_memfd
from runtime.linux.mount import (
    MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NOSUID,
    MOUNT_ATTR_RDONLY,
    clone_tree,
    mount_setattr,
)

_ATTRIBUTES = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV
ISOLATED = ("-I", "-S", "-X", "utf8")
"""No variable, module or site of the caller's; names are UTF-8 whatever the locale, and bytes that
are not stay as they are."""
# the environment is replaced by the one of the container anyway: the mark does not travel on
_MARK = "_STACKER_SEALED"


def sealed_file_fd(path: str) -> int:
    """An fd to execute `path` from, through which the file cannot be opened for writing."""
    try:
        mount_fd = clone_tree(AT_FDCWD, path)
    except OSError:
        return _copy(path)
    try:
        mount_setattr(mount_fd, set_=_ATTRIBUTES)
    except OSError:
        os.close(mount_fd)
        return _copy(path)
    return mount_fd


def interpreter_path() -> str:
    """The real file of this interpreter: of a virtual environment, the one that made it.

    Started from a detached mount, the kernel's link has no name to show; argv[0] has it.
    """
    path = os.path.realpath("/proc/self/exe")
    return path if os.path.isfile(path) else os.path.realpath(sys.executable)


def start_program(module: str) -> list[str]:
    """The interpreter's arguments that run `module.main(sys.argv[1:])` of this very package tree.

    -I -S leaves nothing but the standard library on the path, so the tree is named by its folder.
    """
    tree = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    program = (
        f"import sys;sys.path.append({tree!r});from {module} import main;"
        "sys.exit(main(sys.argv[1:]))"
    )
    return ["-c", program]


def exec_sealed(arguments: list[str], environment: dict[str, str]) -> None:
    """Replace this process by the sealed interpreter, isolated; does not return.

    argv[0] is the interpreter's real path: from it Python finds its standard library.
    """
    path = interpreter_path()
    command = [path, *ISOLATED, *arguments]
    os.execve(sealed_file_fd(path), command, {**environment, _MARK: str(os.getpid())})


def take_seal_mark() -> bool:
    """Whether this very process was started by `exec_sealed`; the mark is taken away."""
    return os.environ.pop(_MARK, "") == str(os.getpid())


def _copy(path: str) -> int:
    with open(path, "rb") as original:
        return sealed_memfd(os.path.basename(path), original.read(), executable=True)
