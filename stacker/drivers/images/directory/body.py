"""The supervisor's side of a worker: start it, feed it, hear what has come of it.

Called by `layers` and `corrections`, in worker threads. Whatever ends a worker, and however, no
process and no half-made folder is left behind.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runtime.linux import sealed
from stacker.base.errors import Failed
from stacker.base.writing import write_all
from stacker.drivers.images.directory import pipes
from stacker.drivers.images.directory.outcome import hear
from stacker.drivers.images.directory.places import IMAGE, TREE
from stacker.drivers.images.directory.remove import remove_tree
from stacker.drivers.images.directory.walk import DIRECTORY
from stacker.drivers.images.layer_body import Finished
from stacker.drivers.images.steps import on_disk
from stacker.oci import tar

MEMORY = 1 << 30
"""Address space of a worker, and of its maker; a layer of a million entries takes a quarter of
it."""
CPU_S = 900


class Worker:
    """One process, with one folder to fill."""

    def __init__(self, folder: Path, job: dict[str, object], *, passed: Sequence[int] = ()) -> None:
        """`passed` are descriptors that the job names by their numbers."""
        self._folder = folder
        with on_disk("make layer"):
            folder.mkdir(mode=0o700)
        try:
            self._process = _start(folder, job, passed)
        except BaseException:
            remove_tree(folder)
            raise

    def write(self, piece: bytes) -> None:
        """Hand on the next bytes; where the worker has ended, say what it has said."""
        assert self._process.stdin is not None
        try:
            write_all(self._process.stdin.fileno(), piece)
        except BrokenPipeError:
            self.answer()
            raise Failed("layer: its worker has ended before the archive") from None

    def answer(self) -> dict[str, Any]:
        """Close the archive and wait; raises what the worker has run into."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        text = self._process.stdout.read()
        return hear(text, self._process.wait(), who="worker")

    def discard(self) -> None:
        """End it and remove what it has made; may be called at any time, and twice."""
        process = self._process
        process.kill()
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        if not process.stdout.closed:
            process.stdout.read()  # ends when its maker has, too
            process.stdout.close()
        process.wait()
        remove_tree(self._folder)

    def take(self, name: str, target: Path) -> None:
        """Put what it has made at `target`, and remove the rest."""
        with on_disk("make layer"):
            (self._folder / name).rename(target)
        self.discard()


class DirectoryBody:
    """A `layer_body.Body` that unpacks into `target`."""

    def __init__(self, target: Path, limits: tar.Limits, size_max: int) -> None:
        self._target = target
        job: dict[str, object] = {"limits": dataclasses.asdict(limits), "file_size": size_max}
        self._worker = Worker(target.with_name(f"{target.name}.new"), job)

    def feed(self, piece: bytes) -> None:
        self._worker.write(piece)

    def finish(self, identity: bytes) -> Finished:
        answer = self._worker.answer()
        self._worker.take(TREE, self._target)
        return Finished(
            entries=int(answer["entries"]),
            size=int(answer["size"]),
            implied=bool(answer["implied"]),
        )

    def discard(self) -> None:
        self._worker.discard()
        remove_tree(self._target)


def correct(
    layer: Path,
    lowers: Sequence[Path],
    target: Path,
    *,
    identity: bytes,
    directory: bool,
    size_max: int,
) -> int | None:
    """As `layer_complete.complete_layer`, where any of the layers is, or becomes, a directory."""
    opened: list[int] = []
    try:
        with on_disk("open layer"):
            for path in (*lowers, layer):
                fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                opened.append(fd)
        job: dict[str, object] = {
            "file_size": size_max,
            "lowers": opened[:-1],
            "layer": opened[-1],
            "identity": identity.hex(),
            "directory": directory,
        }
        worker = Worker(target.with_name(f"{target.name}.new"), job, passed=opened)
    finally:
        for fd in opened:
            os.close(fd)
    try:
        answer = worker.answer()
        if not answer["needed"]:
            return None
        worker.take(TREE if directory else IMAGE, target)
        return int(answer["size"])
    finally:
        worker.discard()


def _start(folder: Path, job: dict[str, object], passed: Sequence[int]) -> subprocess.Popen[bytes]:
    fd = os.open(folder, DIRECTORY)
    job = {"folder": fd, "memory": MEMORY, "cpu_s": CPU_S, **job}
    program = sealed.start_program("stacker.drivers.images.directory.worker")
    try:
        started = subprocess.Popen(
            [sealed.interpreter_path(), *sealed.ISOLATED, *program, json.dumps(job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(fd, *passed),
            bufsize=0,
            cwd="/",
            env={},
        )
    except OSError as error:
        raise Failed(f"layer: start its worker: {error}".lower()) from error
    finally:
        os.close(fd)
    assert started.stdin is not None
    pipes.widen(started.stdin.fileno())
    return started
