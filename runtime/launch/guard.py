"""After this an import, a codec look-up or a library load is an error, never a container's file.

A container's root may hold its own `encodings/idna.py` or `libnss_*`; loaded by us, it would run
with the host's privileges (Docker CVE-2019-14271, and worse in Python). Audit hooks cannot be
removed (PEP 578), which is the point: this is called only in processes that end by execve.
"""

from __future__ import annotations

import codecs
import sys

from runtime.errors import LaunchFailed

_FORBIDDEN = frozenset(("import", "ctypes.dlopen", "ctypes.dlsym", "marshal.loads", "exec"))
# looked up once each, when this module is imported: a codec found is cached in the interpreter.
# These are all that the steps use; any other, like the idna of an address, is refused
for _name in ("utf-8", "ascii", sys.getfilesystemencoding()):
    codecs.lookup(_name)
for _name in ("strict", "replace", "surrogateescape", "backslashreplace"):
    codecs.lookup_error(_name)


def close_the_door() -> None:
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event in _FORBIDDEN:
        name = arguments[0] if arguments else ""
        raise LaunchFailed(f"[internal error] {event} of {name!r} after the root was entered")
