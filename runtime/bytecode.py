"""The bytecode of the whole package in one file, so that a short life begins sooner.

Every verb is a process of its own, and `create` needs some 130 modules: to find each on the path
and to check its .pyc are 17 system calls, here they are four. What is kept is what Python's own
cache holds, under the same rules: a module counts only while its source has the time and the size
that were noted; a file of another interpreter or of another place is made anew. Where the
package's __pycache__ cannot be written nothing is kept, and nothing is lost but time.
"""

from __future__ import annotations

import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import TypeAlias

    # name -> is it a package; mtime (ns) and size of its source; where in the file, how long
    Index: TypeAlias = dict[str, tuple[bool, int, int, int, int]]

PACKAGE = os.path.dirname(os.path.abspath(__file__))
FILE = os.path.join(PACKAGE, "__pycache__", f"all.{sys.implementation.cache_tag}.bin")
_FITS = (sys.hexversion, PACKAGE)
_HEAD = 64 * 1024  # what the index of some 500 modules fits in


class PackedFinder:
    """Loads modules from the file; a finder and a loader, as `sys.meta_path` has them.

    The file is opened for each module: no descriptor is left that a fork could take along.
    """

    def __init__(self, index: Index, spec: type[ModuleSpec]) -> None:
        self._index = index
        self._spec = spec

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        found = self._index.get(name)
        if found is None:
            return None
        is_package, mtime, size, *_ = found
        source = _source(name, is_package)
        try:
            now = os.stat(source)
        except OSError:
            return self._retire()
        if (now.st_mtime_ns, now.st_size) != (mtime, size):
            return self._retire()
        spec = self._spec(name, self, origin=source, is_package=is_package)  # pyright: ignore[reportArgumentType]
        spec.has_location = True
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.append(os.path.dirname(source))
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """None: a module of the usual kind."""

    def exec_module(self, module: ModuleType) -> None:
        *_, offset, length = self._index[module.__name__]
        fd = os.open(FILE, os.O_RDONLY | os.O_CLOEXEC)
        code = os.pread(fd, length, offset)
        os.close(fd)
        exec(marshal.loads(code), module.__dict__)

    def _retire(self) -> None:
        """The sources have changed: the next start packs them anew."""
        self._index = {}
        _remove(FILE)


def install() -> None:
    """Load the modules of this package from the one file from here on; make it if there is none."""
    try:
        fd = os.open(FILE, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return _pack()
    except OSError:
        return None
    head, size = os.pread(fd, _HEAD, 0), os.fstat(fd).st_size
    os.close(fd)
    try:
        fits, whole, index = marshal.loads(head)
    except (EOFError, ValueError, TypeError):
        return _pack()
    if fits != _FITS or size != whole:
        return _pack()
    # importlib's own class: importing importlib for it would cost what this saves
    spec: type[ModuleSpec] = type(sys.__spec__)  # pyright: ignore[reportUnknownVariableType]
    sys.meta_path.insert(0, PackedFinder(index, spec))
    return None


def _pack() -> None:
    """Write the file: complete, or not at all."""
    if not os.access(os.path.dirname(FILE), os.W_OK):
        return
    from importlib.machinery import SourceFileLoader

    index: Index = {}
    codes: list[bytes] = []
    offset = _HEAD
    for name, is_package in sorted(_modules()):
        source = _source(name, is_package)
        found = os.stat(source)
        code = marshal.dumps(SourceFileLoader(name, source).get_code(name))
        index[name] = (is_package, found.st_mtime_ns, found.st_size, offset, len(code))
        codes.append(code)
        offset += len(code)
    head = marshal.dumps((_FITS, offset, index))
    if len(head) > _HEAD:
        return
    # one of many that start at once: each writes its own, and the last one stays
    mine = f"{FILE}.{os.getpid()}"
    try:
        with open(mine, "xb") as file:
            file.write(b"".join((head.ljust(_HEAD, b"\0"), *codes)))
            file.flush()
            os.fsync(file.fileno())
        os.rename(mine, FILE)
    except OSError:
        _remove(mine)


def _remove(path: str) -> None:
    try:  # noqa: SIM105 (contextlib takes longer to load than this module saves)
        os.unlink(path)
    except OSError:
        pass


def _source(name: str, is_package: bool) -> str:
    path = os.path.join(os.path.dirname(PACKAGE), *name.split("."))
    return os.path.join(path, "__init__.py") if is_package else f"{path}.py"


def _modules() -> Iterator[tuple[str, bool]]:
    above = len(os.path.dirname(PACKAGE)) + 1
    for folder, _, files in os.walk(PACKAGE):
        package = folder[above:].replace("/", ".")
        for file in files:
            if file == "__init__.py":
                yield package, True
            elif file.endswith(".py"):
                yield f"{package}.{file.removesuffix('.py')}", False
