"""The process that makes one layer into a directory: `main` is started for each.

It is given a folder to fill as a descriptor, the archive on stdin, and what it may cost. It shuts
itself into the folder (chroot), gives up every capability that making files does not need, bounds
itself, and answers with one JSON object on stdout. Everything is imported by then: an import, a
codec or a library that was loaded afterwards could come out of the layer.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import stat
import sys
from pathlib import Path
from typing import Any

from runtime.linux.process import capget, capset, set_no_new_privileges
from stacker.base.errors import Corrupt
from stacker.drivers.images.directory import pipes
from stacker.drivers.images.directory.maker import Maker
from stacker.drivers.images.directory.nursery import Nursery
from stacker.drivers.images.directory.outcome import tell
from stacker.drivers.images.directory.places import IMAGE
from stacker.drivers.images.directory.reader import DirectoryImage
from stacker.drivers.images.directory.writer import DirectoryWriter
from stacker.drivers.images.layer_file import LayerFile
from stacker.drivers.images.layer_sink import FileSink
from stacker.drivers.images.layer_tree import LayerTree
from stacker.oci import tar
from stacker.oci.erofs.complete import Completion
from stacker.oci.erofs.reader import Image
from stacker.oci.erofs.writer import Writer

# capabilities(7): CHOWN, DAC_OVERRIDE, FOWNER, FSETID, SYS_ADMIN (trusted xattrs), MKNOD, SETFCAP
_CAPABILITIES = sum(1 << number for number in (0, 1, 3, 4, 21, 27, 31))
_FORBIDDEN = frozenset(("import", "ctypes.dlopen", "exec", "subprocess.Popen", "os.exec"))


def main(arguments: list[str]) -> int:
    """The job is one JSON object; see `body` and `correct`."""
    # nothing here is ever part of a cycle, and a tree of a million files takes long to look through
    gc.disable()
    job: dict[str, Any] = json.loads(arguments[0])
    os.write(1, tell(lambda: _work(job)))
    return 0


def _work(job: dict[str, Any]) -> dict[str, object]:
    # that root may not do these things, in a container say, is an answer too
    _bound(job["memory"], job["cpu_s"], job["file_size"])
    _shut_in(job["folder"])
    return _correct(job) if "layer" in job else _unpack(job)


def _unpack(job: dict[str, Any]) -> dict[str, object]:
    limits = tar.Limits(**job["limits"])
    reader = tar.TarReader(limits)
    maker = Maker(Nursery())
    try:
        tree = LayerTree(DirectoryWriter(maker), limits.entries, job["file_size"])
        while piece := os.read(0, pipes.SIZE):
            tree.apply(reader.feed(piece))
            maker.flush()
        reader.finish()
        size = tree.finish(uuid=bytes(16))
    finally:
        maker.close()
    return {"entries": reader.entries, "size": size, "implied": tree.implied}


def _correct(job: dict[str, Any]) -> dict[str, object]:
    images = [_image(fd) for fd in (*job["lowers"], job["layer"])]
    completion = Completion(images[-1], images[:-1])
    if not completion.needed:
        return {"needed": False}
    identity, size_max = bytes.fromhex(job["identity"]), job["file_size"]
    if job["directory"]:
        writer = DirectoryWriter(Nursery())
        return {"needed": True, "size": completion.write(writer, identity, size_max=size_max)}
    sink = FileSink(Path(IMAGE))
    size = completion.write(Writer(sink), identity, size_max=size_max)
    sink.close(size)
    return {"needed": True, "size": size}


def _image(fd: int) -> Image | DirectoryImage:
    is_directory = stat.S_ISDIR(os.fstat(fd).st_mode)
    return DirectoryImage(fd) if is_directory else Image(LayerFile(fd).read)


def _bound(memory: int, cpu_s: int, file_size: int) -> None:
    for limit, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, file_size),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(limit)
        bounded = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # the hard one stays: at it SIGKILL comes, which would not say why
        resource.setrlimit(limit, (bounded, hard))


def _shut_in(folder: int) -> None:
    os.fchdir(folder)
    os.chroot(".")
    os.umask(0)
    set_no_new_privileges()
    _, permitted, _ = capget()
    kept = permitted & _CAPABILITIES
    capset(kept, kept, 0)
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event in _FORBIDDEN:
        name = arguments[0] if arguments else ""
        raise Corrupt(f"[internal error] {event} of {name!r} while a layer is made")
