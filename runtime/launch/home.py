"""$HOME of a program whose environment names none: the one its user has in the container's passwd.

No part of the specification, and what every engine above a runtime has come to rely on since runc
looks it up. The file is data of the container's: it is resolved inside the root from outside of it,
and is read when it is a plain file, so far and no further.
"""

from __future__ import annotations

import os
import stat

from runtime.linux.fds import open_in_root

_PASSWD = "/etc/passwd"
_READ_AT_MOST = 1 << 20
_DEFAULT = "/"
_UID, _HOME, _FIELDS = 2, 5, 7  # passwd(5)


def find_home(root: int, uid: int) -> str:
    """`root`: a descriptor of the container's root directory."""
    try:
        text = _read(root)
    except OSError:
        return _DEFAULT
    for line in text.splitlines():
        fields = line.split(b":")
        if len(fields) == _FIELDS and fields[_UID] == b"%d" % uid:
            return os.fsdecode(fields[_HOME]) or _DEFAULT
    return _DEFAULT


def _read(root: int) -> bytes:
    # first without opening what it is: a device or a FIFO would notice
    found = open_in_root(root, _PASSWD)
    try:
        if not stat.S_ISREG(os.fstat(found).st_mode):
            return b""
        file = os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(found)
    try:
        return os.read(file, _READ_AT_MOST)
    finally:
        os.close(file)
