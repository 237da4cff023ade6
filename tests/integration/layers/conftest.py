"""Tools for layer tests: archives in, mounted trees out, trees as comparable dictionaries."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from stacker.drivers.images.layer_complete import complete_layer
from stacker.drivers.images.layers import LayerBuilder, LayerResult
from stacker.drivers.images.unpacked import discard
from stacker.drivers.mounts import Mounts
from stacker.drivers.mounts.context import unmount
from stacker.drivers.mounts.erofs import mount_erofs
from stacker.oci.image import LayerFormat
from tests.support.slowness import SLOWNESS

EXAMPLES = 500 if os.environ.get("STACKER_SOAK") == "1" else 20 if SLOWNESS == 1 else 5
"""Of random trees: each costs a directory several processes."""


class Member(tarfile.TarInfo):
    """With its content; the slots of TarInfo have no place for it."""

    content = b""


def sparse(name: str, size: int) -> bytes:
    """The entry of a file that is one hole but for its last byte, in GNU tar's format 1.0."""
    text = f"1\n{size - 1}\n1\n".encode().ljust(512, b"\0")
    entry = tarfile.TarInfo(name)
    entry.size = 513
    entry.pax_headers = {
        "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(size),
    }  # fmt: skip
    return entry.tobuf(tarfile.PAX_FORMAT) + text + b"x" + bytes(511)


class Layers:
    """Everything under one temporary directory; `path()` gives a new name in it."""

    def __init__(self, base: Path, format: LayerFormat) -> None:
        self.base = base
        self.format = format
        self._count = 0

    def path(self, suffix: str = "") -> Path:
        self._count += 1
        return self.base / f"{self._count}{suffix}"

    # -- archives

    @staticmethod
    def member(name: str | bytes, content: bytes = b"", **fields: Any) -> Member:
        text = name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name
        info = Member(text)
        info.size = len(content)
        info.mode = 0o644
        kind = fields.pop("kind", None)
        if kind is not None:
            info.type = kind
            info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
        for key, value in fields.items():
            setattr(info, key, value)
        info.pax_headers = dict(info.pax_headers)
        info.content = content
        return info

    def directory(self, name: str | bytes, mode: int = 0o755, **fields: Any) -> Member:
        return self.member(name, kind=tarfile.DIRTYPE, mode=mode, **fields)

    def symlink(self, name: str | bytes, target: str, **fields: Any) -> Member:
        return self.member(name, kind=tarfile.SYMTYPE, linkname=target, mode=0o777, **fields)

    def link(self, name: str | bytes, target: str) -> Member:
        return self.member(name, kind=tarfile.LNKTYPE, linkname=target)

    @staticmethod
    def archive(*members: Member, format: int = tarfile.PAX_FORMAT) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(
            fileobj=buffer, mode="w", format=format, encoding="utf-8", errors="surrogateescape"
        ) as tar:
            for info in members:
                tar.addfile(info, io.BytesIO(info.content))
        return buffer.getvalue()

    # -- images

    def build(
        self,
        data: bytes,
        *,
        compression: str = "none",
        step: int = 1 << 20,
        extract: bool = True,
        fsck: bool = True,
        **options: Any,
    ) -> LayerResult:
        """One archive as a layer; if it is an EROFS file, fsck.erofs finds no fault with it."""
        options.setdefault("format", self.format)
        builder = LayerBuilder(self.path(".layer"), compression=compression, **options)  # type: ignore[arg-type]
        try:
            for start in range(0, len(data), step):
                builder.feed(data[start : start + step])
            result = builder.finish()
        except BaseException:
            builder.abort()
            raise
        if fsck:
            self.fsck(result.path, extract=extract)
        return result

    def layer(self, *members: Member) -> LayerResult:
        return self.build(self.archive(*members))

    def stacked(self, *results: LayerResult) -> list[Path]:
        """The layers with their corrections, lowest first."""
        stack: list[Path] = []
        for result in results:
            fix = self.path(".fix")
            size = None
            if result.implied:
                size = complete_layer(result.path, stack, fix, format=self.format)
            stack.append(result.path)
            if size is not None:
                self.fsck(fix)
                stack.append(fix)
        return stack

    @staticmethod
    def fsck(image: Path, *, extract: bool = True) -> None:
        if shutil.which("fsck.erofs") is None or image.is_dir():
            return
        done = subprocess.run(
            ["fsck.erofs", *(["--extract"] * extract), os.fspath(image)],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "error" not in (done.stdout + done.stderr).lower()

    @contextlib.contextmanager
    def mounted(self, image: Path) -> Iterator[Path]:
        if image.is_dir():
            yield image
            return
        target = self.path()
        target.mkdir()
        mount_erofs(image, target)
        try:
            yield target
        finally:
            unmount(target)
            target.rmdir()

    # -- trees

    @staticmethod
    def snapshot(root: Path, *, times: bool = True, links: bool = True) -> dict[bytes, Any]:
        """Every path with all that can be seen of it; hard links by their first name."""
        found: dict[bytes, Any] = {}
        inodes: dict[tuple[int, int], bytes] = {}
        top = os.fsencode(root)
        stack = [b""]
        while stack:
            relative = stack.pop()
            path = top + b"/" + relative if relative else top
            info = os.lstat(path)
            kind = stat.S_IFMT(info.st_mode)
            content: Any = None
            if kind == stat.S_IFREG:
                with open(path, "rb") as file:
                    content = file.read()
            elif kind == stat.S_IFLNK:
                content = os.readlink(path)
            elif kind in (stat.S_IFCHR, stat.S_IFBLK):
                content = info.st_rdev
            elif kind == stat.S_IFDIR:
                names = sorted(os.listdir(path))
                stack += [relative + b"/" + name if relative else name for name in names]
            first = inodes.setdefault((info.st_dev, info.st_ino), relative)
            found[relative] = (
                stat.S_IFMT(info.st_mode),
                None if kind == stat.S_IFLNK else stat.S_IMODE(info.st_mode),
                info.st_uid,
                info.st_gid,
                info.st_mtime_ns if times else None,
                info.st_nlink if links and kind != stat.S_IFDIR else None,
                first if links else None,
                {name: os.getxattr(path, name, follow_symlinks=False)
                 for name in os.listxattr(path, follow_symlinks=False)},
                content,
            )  # fmt: skip
        return found


@contextlib.contextmanager
def merged(layers: Any, *archives: bytes) -> Iterator[Path]:
    """The layers with their corrections, mounted."""
    stack = layers.stacked(*(layers.build(archive) for archive in archives))
    base = layers.path()
    mounts = Mounts(base)
    target = base / "rootfs"
    anyio.run(
        lambda: mounts.mount_rootfs(
            "c", stack, upper=base / "upper", work=base / "work", target=target
        )
    )
    try:
        yield target
    finally:

        async def leave() -> None:
            await Mounts(base).sweep([])
            await Mounts(base).close()

        anyio.run(leave)


@pytest.fixture(scope="session", params=list(LayerFormat), ids=lambda format: format.value)
def layers(request: Any) -> Iterator[Layers]:
    """Each test once for each format."""
    # not tmp_path: hypothesis runs many examples in one test
    with tempfile.TemporaryDirectory(prefix="stacker-layers-") as base:
        yield Layers(Path(base), request.param)
        for left in Path(base).iterdir():
            discard(left)  # deeper than rmtree can recurse


@pytest.fixture(scope="session")
def gzipped() -> Any:
    return lambda data: gzip.compress(data, 1, mtime=0)
