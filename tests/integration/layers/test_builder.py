"""The layer builder's outside: compressions, digests, bounds, failures that leave nothing."""

from __future__ import annotations

import gc
import gzip
import hashlib
import io
import os
import random
import tracemalloc
import weakref
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from runtime.linux import mount as linux
from stacker.base.errors import Corrupt, NoSpace
from stacker.drivers.images.layers import LayerBuilder, LayerLimits
from stacker.drivers.images.unpacked import discard
from stacker.drivers.mounts.context import unmount
from stacker.oci import tar
from stacker.oci.image import LayerFormat


def sample(layers: Any, size: int = 200_000) -> bytes:
    noise = random.Random(1).randbytes(size)
    return layers.archive(
        layers.directory("d"),
        layers.member("d/noise", noise),
        layers.member("d/zeros", bytes(size)),
    )


def members(data: bytes) -> bytes:
    return b"".join(gzip.compress(data[at : at + 50_000]) for at in range(0, len(data), 50_000))


def frames(data: bytes) -> bytes:
    compressor = zstandard.ZstdCompressor()
    return b"".join(
        compressor.compress(data[at : at + 50_000]) for at in range(0, len(data), 50_000)
    )


COMPRESSED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "none": ("none", bytes),
    "gzip": ("gzip", gzip.compress),
    "gzip in members": ("gzip", members),
    "gzip with padding": ("gzip", lambda data: gzip.compress(data) + bytes(700)),
    "gzip, empty member last": ("gzip", lambda data: gzip.compress(data) + gzip.compress(b"")),
    "zstd": ("zstd", lambda data: zstandard.ZstdCompressor().compress(data)),
    "zstd in frames": ("zstd", frames),
}


@pytest.mark.parametrize(("compression", "compress"), COMPRESSED.values(), ids=COMPRESSED)
@pytest.mark.parametrize("step", [1 << 20, 1000, 7])
def test_the_same_layer_from_every_compression(
    layers: Any, compression: str, compress: Callable[[bytes], bytes], step: int
) -> None:
    data = sample(layers, 20_000)
    result = layers.build(compress(data), compression=compression, step=step)
    assert result.diff_id == "sha256:" + hashlib.sha256(data).hexdigest()
    assert (result.size, result.entries) == (len(data), 3)
    other = layers.build(data)
    if layers.format is LayerFormat.EROFS:
        assert result.image_size == result.path.stat().st_size
        assert result.path.read_bytes() == other.path.read_bytes()
    else:
        assert result.image_size == 40_000
        assert layers.snapshot(result.path) == layers.snapshot(other.path)


BROKEN = {
    "gzip cut short": ("gzip", lambda data: gzip.compress(data)[:-100]),
    "gzip without its trailer": ("gzip", lambda data: gzip.compress(data)[:-4]),
    "gzip with a wrong checksum": ("gzip", lambda data: gzip.compress(data)[:-8] + bytes(8)),
    "gzip followed by rubbish": ("gzip", lambda data: gzip.compress(data) + b"rubbish"),
    "gzip with rubbish after padding": ("gzip", lambda data: gzip.compress(data) + b"\0\0\x1f\x8b"),
    "half a gzip magic": ("gzip", lambda data: gzip.compress(data) + b"\x1f"),
    "not gzip": ("gzip", bytes),
    "nothing as gzip": ("gzip", lambda _: b""),
    "zlib": ("gzip", zlib.compress),
    "not zstd": ("zstd", bytes),
    "nothing as zstd": ("zstd", lambda _: b""),
    "zstd cut short": ("zstd", lambda data: zstandard.ZstdCompressor().compress(data)[:-9000]),
    "zstd, damaged": (
        "zstd",
        lambda data: zstandard.ZstdCompressor(write_checksum=True).compress(data)[:-4] + bytes(4),
    ),
    "zstd of a window of 2 GiB": ("zstd", lambda _: bytes.fromhex("28b52ffd00a80100005858")),
    "tar cut short": ("none", lambda data: data[:100_000]),
}


@pytest.mark.parametrize(("compression", "compress"), COMPRESSED.values(), ids=COMPRESSED)
@pytest.mark.parametrize("ends", ["finished", "aborted"])
def test_nothing_is_kept_of_a_layer_that_is_over(
    layers: Any, compression: str, compress: Any, ends: str
) -> None:
    """Its tree may be large, and a supervisor makes layers for months."""
    builder = LayerBuilder(layers.path(".layer"), compression=compression, format=layers.format)
    builder.feed(compress(layers.archive(layers.member("f", b"x"))))
    if ends == "finished":
        discard(builder.finish().path)
    else:
        builder.abort()
    left = weakref.ref(builder)
    del builder
    gc.collect()
    assert left() is None


@pytest.mark.parametrize(("compression", "spoil"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("step", [1 << 20, 1000])
def test_broken_streams(
    layers: Any, compression: str, spoil: Callable[[bytes], bytes], step: int
) -> None:
    before = set(os.listdir(layers.base))
    with pytest.raises(Corrupt):
        layers.build(spoil(sample(layers)), compression=compression, step=step)
    assert set(os.listdir(layers.base)) == before


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_bombs_stop_at_the_bound_in_bounded_memory(layers: Any, compression: str) -> None:
    buffer = io.BytesIO()
    opener: Any = (
        gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=6)
        if compression == "gzip"
        else zstandard.ZstdCompressor(level=19).stream_writer(buffer, closefd=False)
    )
    with opener as out:
        member = layers.member("zeros")
        member.size = 150 << 20
        out.write(member.tobuf())
        for _ in range(150):
            out.write(bytes(1 << 20))
    blob = buffer.getvalue()
    assert len(blob) < 500_000
    for limits, match in (
        (LayerLimits(ratio_from=64 << 20), "grows more than 200 times"),
        (LayerLimits(uncompressed=100 << 20), "more than 104857600 bytes"),
        (LayerLimits(image=10 << 20), "larger than"),
    ):
        tracemalloc.start()
        with pytest.raises(Corrupt, match=match):
            layers.build(blob, compression=compression, limits=limits)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 32 << 20
    assert not list(layers.base.glob("*.new"))


def test_entries_are_bounded(layers: Any) -> None:
    data = layers.archive(*(layers.member(f"{number}") for number in range(100)))
    with pytest.raises(Corrupt, match="more than 50 entries"):
        layers.build(data, limits=LayerLimits(tar=tar.Limits(entries=50)))
    deep = layers.archive(layers.member("d/" * 200 + "f"))
    with pytest.raises(Corrupt, match="more files and directories"):
        layers.build(deep, limits=LayerLimits(tar=tar.Limits(entries=50)))


def test_paths_that_are_slow_to_follow_are_refused(layers: Any) -> None:
    """Forty symlinks of a thousand components each, and a new name below them in every entry."""
    entries = [layers.directory("d")]
    entries += [layers.symlink(f"s{n}", "d/../" * 500 + f"s{n + 1}") for n in range(38)]
    entries += [layers.symlink("s38", "d")]
    entries += [layers.member(f"s0/./{'/.' * (n % 50)}/f{n}") for n in range(2000)]
    with pytest.raises(Corrupt, match="too long to follow"):
        layers.build(layers.archive(*entries), limits=LayerLimits(tar=tar.Limits(entries=5000)))


def test_memory_does_not_grow_with_the_layer(layers: Any) -> None:
    noise = random.Random(2).randbytes(1 << 20)
    builder = LayerBuilder(layers.path(".layer"), compression="none", format=layers.format)
    member = layers.member("large")
    member.size = 100 << 20
    tracemalloc.start()
    builder.feed(member.tobuf())
    for _ in range(100):
        builder.feed(noise)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    builder.abort()
    assert peak < 16 << 20


def test_abort_at_any_time_leaves_nothing(layers: Any) -> None:
    data = gzip.compress(sample(layers))
    descriptors = len(os.listdir("/proc/self/fd"))
    for fed in (0, 10, 1000, len(data) // 2, len(data)):
        path = layers.path(".layer")
        builder = LayerBuilder(path, compression="gzip", format=layers.format)
        builder.feed(data[:fed])
        builder.abort()
        builder.abort()
        assert not path.exists()
    for _ in range(200 if layers.format is LayerFormat.EROFS else 10):
        with pytest.raises(Corrupt):
            layers.build(b"rubbish" * 200, compression="none")
    assert len(os.listdir("/proc/self/fd")) == descriptors


@pytest.mark.root
def test_a_full_disk(layers: Any) -> None:
    small = layers.path()
    small.mkdir()
    linux.mount("tmpfs", str(small), "tmpfs", 0, "size=1m")
    try:
        builder = LayerBuilder(small / "layer", compression="none")
        noise = layers.archive(layers.member("f", random.Random(3).randbytes(8 << 20)))
        with pytest.raises(NoSpace, match="write layer"):
            builder.feed(noise)
        builder.abort()
        assert os.listdir(small) == []
    finally:
        unmount(small)


def test_files_are_for_root_only(layers: Any) -> None:
    result = layers.build(sample(layers))
    # a directory's own mode is the image root's: the folder around it is closed
    if layers.format is LayerFormat.EROFS:
        assert result.path.stat().st_mode & 0o777 == 0o600
        path: Path = result.path
        with pytest.raises(Exception, match="file exists"):
            LayerBuilder(path, compression="none")


@pytest.mark.parametrize("seed", range(4))
def test_damaged_archives_are_corrupt_or_a_clean_image(layers: Any, seed: int) -> None:
    """Headers are changed and their checksums put right, so that the damage is looked at."""
    random_ = random.Random(seed)
    whole = layers.archive(
        layers.directory("d"),
        layers.member("d/f", b"x" * 600, pax_headers={"SCHILY.xattr.user.a": "b"}),
        layers.symlink("s", "d"),
        layers.link("d/l", "d/f"),
        layers.member("s/.wh.x"),
        layers.directory("d/e", mode=0o700),
        layers.member("d/e/.wh..wh..opq"),
    )
    headers = [at for at in range(0, len(whole), 512) if whole[at + 257 : at + 262] == b"ustar"]
    built = 0
    rounds = 150 if layers.format is LayerFormat.EROFS else 20  # each is a process
    for _ in range(rounds):
        data = bytearray(whole)
        for _ in range(random_.randrange(1, 4)):
            at = random_.choice(headers)
            field = at + random_.choice([0, 1, 2, 107, 115, 123, 134, 135, 147, 156, 157, 345])
            data[field] = random_.choice(b"\x00\xff\x80/.0123457dfsxwhLKS")
            data[at + 148 : at + 156] = b" " * 8
            data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])
        try:
            result = layers.build(bytes(data))
        except Corrupt:
            continue
        discard(result.path)
        built += 1
    assert rounds // 30 <= built < rounds
