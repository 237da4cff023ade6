"""Read a JSON file that somebody handed us: bounded, regular, UTF-8, an object at the top."""

from __future__ import annotations

import os
import stat

from runtime.errors import SpecInvalid, step
from runtime.spec.parse import parse_process, parse_spec
from runtime.spec.validate import check_process, check_spec
from runtime.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.spec.model import Process, Spec

LARGEST = 16 * 1024 * 1024  # a generous config.json is 30 KiB


def read_spec(path: str) -> Spec:
    return spec_of(read_file(path), path)


def spec_of(text: bytes, path: str) -> Spec:
    spec = parse_spec(_decode(text, path))
    check_spec(spec)
    return spec


def read_process(path: str) -> Process:
    process = parse_process(_decode(read_file(path, pipe=True), path))
    check_process(process)
    return process


def read_file(path: str, *, pipe: bool = False) -> bytes:
    """`pipe`: also what a shell's <(…) gives; only of a path that the caller has just written."""
    with step(f"read {path}"):
        # NONBLOCK: a FIFO in the bundle must not hang us
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            status = os.fstat(fd)
            if pipe and stat.S_ISFIFO(status.st_mode):
                os.set_blocking(fd, True)
                return _read_all(fd)
            if not stat.S_ISREG(status.st_mode):
                raise SpecInvalid(f"{path}: not a regular file")
            if status.st_size > LARGEST:
                raise SpecInvalid(f"{path}: larger than {LARGEST} bytes")
            return _read_all(fd)
        finally:
            os.close(fd)


def _decode(text: bytes, path: str) -> object:
    try:
        # decoded here: json would let surrogates pass
        document = json.loads(text.decode("utf-8"))
        if b"\\u" in text:
            # an escape may stand for half a pair, which no path or argument can hold
            json.dumps(document, ensure_ascii=False).encode("utf-8")
        return document
    except (ValueError, RecursionError) as error:
        raise SpecInvalid(f"{path}: not valid JSON: {error}") from error


def _read_all(fd: int) -> bytes:
    parts: list[bytes] = []
    left = LARGEST
    while left > 0 and (part := os.read(fd, min(left, 1 << 20))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
