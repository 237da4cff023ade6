"""The C library, loaded once at import, and the two ways to call it.

Every symbol is bound when this module is imported: a look-up later could make the dynamic loader
read a library of a container's root. A failed call raises OSError with errno.
"""

from __future__ import annotations

import ctypes
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    Argument: TypeAlias = int | bytes | ctypes.Array[Any] | ctypes.Structure | None

_library = ctypes.CDLL(None, use_errno=True)
_syscall = _library.syscall
_syscall.restype = ctypes.c_long
_long = ctypes.c_long
_get_errno = ctypes.get_errno


def syscall(number: int, *arguments: Argument) -> int:
    """Call the kernel by number; bytes and arrays go by address, structures by reference."""
    words: list[Any] = []
    for argument in arguments:
        if isinstance(argument, int):
            words.append(_long(argument))
        elif isinstance(argument, ctypes.Structure):
            words.append(ctypes.byref(argument))
        else:
            words.append(argument)
    result = _syscall(_long(number), *words)
    if result < 0:
        number_of_error = _get_errno()
        raise OSError(number_of_error, os.strerror(number_of_error))
    return result


def function(name: str, *argument_types: Any) -> Callable[..., int]:
    """Bind a function of the C library that returns -1 and sets errno when it fails."""
    bound = getattr(_library, name)
    bound.argtypes = argument_types
    bound.restype = ctypes.c_long if name == "personality" else ctypes.c_int

    def call(*arguments: Any) -> int:
        result = bound(*arguments)
        if result < 0:
            number_of_error = _get_errno()
            raise OSError(number_of_error, os.strerror(number_of_error))
        return result

    return call


def address(name: str) -> int:
    """Where a function of the C library is, for whoever calls it by its address."""
    return ctypes.cast(getattr(_library, name), ctypes.c_void_p).value or 0


def path_bytes(path: str | bytes) -> bytes:
    """A path as the kernel takes it; a NUL inside would silently cut it short."""
    encoded = path if isinstance(path, bytes) else os.fsencode(path)
    if b"\0" in encoded:
        raise ValueError("path holds a NUL byte")
    return encoded
