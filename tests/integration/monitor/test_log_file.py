"""The log of one container on a real file system: rotation, a full disk, a torn end."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime.linux.mount import MNT_DETACH, mount, umount2
from runtime.monitor.log_file import LogFile, segment_path, segments
from runtime.wire import frames


@pytest.fixture
def devnull() -> Iterator[int]:
    fd = os.open("/dev/null", os.O_RDWR)
    yield fd
    os.close(fd)


@pytest.fixture
def write(devnull: int) -> Iterator[Callable[[LogFile, bytes], None]]:
    """Put bytes into a pipe and have the log take them."""
    source, sink = os.pipe()
    fcntl.fcntl(sink, fcntl.F_SETPIPE_SZ, 1024 * 1024)

    def put(log: LogFile, content: bytes) -> None:
        os.write(sink, content)
        while True:
            count = struct.unpack("i", fcntl.ioctl(source, termios.FIONREAD, b"\0" * 4))[0]
            if not count:
                return
            log.take(source, frames.STDOUT, count)

    yield put
    os.close(source)
    os.close(sink)


def content_of(directory: Path) -> bytes:
    found = b""
    for number in segments(str(directory)):
        for _, stream, content in frames.split(
            Path(segment_path(str(directory), number)).read_bytes()
        ):
            if stream != frames.NOTE:
                found += content
    return found


def test_rotation_keeps_the_newest(
    tmp_path: Path, devnull: int, write: Callable[[LogFile, bytes], None]
) -> None:
    log = LogFile(str(tmp_path), max_size=10_000, max_files=3, devnull=devnull)
    whole = b"".join(b"%06d\n" % number for number in range(20_000))
    for at in range(0, len(whole), 1400):
        write(log, whole[at : at + 1400])
    log.close()
    numbers = segments(str(tmp_path))
    assert len(numbers) == 3
    sizes = [os.stat(segment_path(str(tmp_path), number)).st_size for number in numbers]
    assert max(sizes) <= 10_000
    assert min(sizes[:-1]) > 8_000
    assert whole.endswith(content_of(tmp_path))


def test_a_short_whole_segment_goes_on(
    tmp_path: Path, devnull: int, write: Callable[[LogFile, bytes], None]
) -> None:
    for word in (b"one", b"two"):
        log = LogFile(str(tmp_path), max_size=10_000, max_files=3, devnull=devnull)
        write(log, word)
        log.close()
    assert segments(str(tmp_path)) == [1]
    assert content_of(tmp_path) == b"onetwo"


def test_after_a_torn_frame_comes_a_new_segment(
    tmp_path: Path, devnull: int, write: Callable[[LogFile, bytes], None]
) -> None:
    torn = frames.build(1, frames.STDOUT, b"abcdef")[:-3]
    Path(segment_path(str(tmp_path), 1)).write_bytes(torn)
    log = LogFile(str(tmp_path), max_size=10_000, max_files=3, devnull=devnull)
    write(log, b"def")
    log.close()
    assert segments(str(tmp_path)) == [1, 2]
    assert Path(segment_path(str(tmp_path), 1)).read_bytes() == torn


@pytest.mark.root
def test_full_disk_drops_counts_and_recovers(
    tmp_path: Path, devnull: int, write: Callable[[LogFile, bytes], None]
) -> None:
    mount("none", str(tmp_path), "tmpfs", 0, "size=256k")
    try:
        log = LogFile(str(tmp_path / "log"), max_size=10_000_000, max_files=3, devnull=devnull)
        ballast = tmp_path / "ballast"
        ballast.write_bytes(b"\0" * 100_000)
        sent = 0
        for _ in range(8):
            write(log, b"x" * 50_000)
            sent += 50_000
        ballast.unlink()
        write(log, b"after\n")
        log.close()
        written, notes = b"", b""
        for number in segments(str(tmp_path / "log")):
            path = Path(segment_path(str(tmp_path / "log"), number))
            assert frames.whole(path.read_bytes()) == path.stat().st_size
            for _, stream, content in frames.split(path.read_bytes()):
                if stream == frames.NOTE:
                    notes += content
                else:
                    written += content
        assert written.endswith(b"after\n")
        dropped = sent + len(b"after\n") - len(written)
        assert dropped > 0
        assert notes == b'{"dropped": %d}' % dropped
    finally:
        umount2(str(tmp_path), MNT_DETACH)
