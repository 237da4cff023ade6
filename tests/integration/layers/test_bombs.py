"""I11, D3 and D4: archives that want more than they are worth, stopped within their bounds.

Each bomb ends in Corrupt, in bounded memory, and leaves neither files nor descriptors behind.
"""

from __future__ import annotations

import gzip
import io
import os
import resource
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from typing import Any

import pytest
import zstandard

from stacker.base.errors import Corrupt
from stacker.drivers.images.layers import LayerBuilder, LayerLimits
from stacker.drivers.images.unpacked import discard
from stacker.oci import tar
from stacker.oci.image import LayerFormat
from tests.integration.layers.conftest import sparse
from tests.support.slowness import SLOWNESS

pytestmark = pytest.mark.root
SOAK = os.environ.get("STACKER_SOAK") == "1"
DAMAGED = 10_000 if SOAK else 150
MARKERS = 100_000 if SOAK else 40_000
NOISE = 300_000 if SOAK else 500
MIB = 1 << 20


@pytest.fixture(autouse=True)
def nothing_left(layers: Any) -> Iterator[None]:
    before = set(os.listdir(layers.base)), len(os.listdir("/proc/self/fd"))
    yield
    assert (set(os.listdir(layers.base)), len(os.listdir("/proc/self/fd"))) == before


def deep(levels: int) -> bytes:
    """Each directory in the one before, by way of symlinks, as no name may be so long."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as out:
        here = "d"
        for level in range(levels // 500):
            path = here + "/d" * 500
            made = tarfile.TarInfo(path)
            made.type, made.mode = tarfile.DIRTYPE, 0o755
            out.addfile(made)
            link = tarfile.TarInfo(f"s{level}")
            link.type, link.linkname = tarfile.SYMTYPE, path
            out.addfile(link)
            here = f"s{level}"
    return buffer.getvalue()


def of(*members: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as out:
        for member in members:
            out.addfile(member)
    return buffer.getvalue()


def named(name: str, **pax: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.pax_headers = pax
    return member


BOMBS = {
    "a sparse file of 8 EiB": lambda: sparse("sparse", (1 << 63) - 1),
    "a component of 256 bytes": lambda: of(named("n" * 256)),
    "a name of 4,097 bytes": lambda: of(named("n/" * 2048 + "nn")),
    "a name of 65 KiB": lambda: of(named("n/" * 33_000 + "f")),
    "a symlink of 65 KiB": lambda: of(_symlink("l", "t" * 65_000)),
    "an xattr without a name": lambda: of(named("f", **{"SCHILY.xattr.": "x"})),
    "an xattr's name of 256 bytes": lambda: of(
        named("f", **{"SCHILY.xattr.user." + "n" * 251: ""})
    ),
    "an xattr of 64 KiB": lambda: of(named("f", **{"SCHILY.xattr.user.x": "v" * 65_536})),
    "a pax header of 2 MiB": lambda: of(named("f", comment="c" * (2 * MIB))),
    "a file larger than the layer may be": lambda: _huge(1 << 38),
}


def _symlink(name: str, target: str) -> tarfile.TarInfo:
    member = named(name)
    member.type, member.linkname = tarfile.SYMTYPE, target
    return member


def _huge(size: int) -> bytes:
    member = tarfile.TarInfo("huge")
    member.size = size
    return member.tobuf(tarfile.PAX_FORMAT) + bytes(512)


@pytest.mark.parametrize("make", BOMBS.values(), ids=BOMBS)
def test_refused_at_once(layers: Any, make: Any) -> None:
    data = make()
    started = time.monotonic()
    with pytest.raises(Corrupt):
        layers.build(data)
    assert time.monotonic() - started < 5 * SLOWNESS


@pytest.mark.soak
def test_ten_thousand_levels(layers: Any) -> None:
    """No path of the kernel's is so long; nothing recurses over it, nor holds it open."""
    levels = 10_000 if SOAK or layers.format is LayerFormat.EROFS else 2500
    result = layers.build(deep(levels), fsck=False)  # fsck.erofs does recurse
    assert result.entries == levels // 250
    discard(result.path)


ENDLESS = """
import resource, sys, tarfile
from pathlib import Path
from stacker.base.errors import Corrupt
from stacker.drivers.images.layers import LayerBuilder
from stacker.oci.image import LayerFormat

def entry(number):
    made = tarfile.TarInfo("f")
    if bomb == "directories' xattrs":
        made.name, made.type = f"{number}", tarfile.DIRTYPE
        made.pax_headers = {"SCHILY.xattr.user.x": "x" * 60_000}
    elif bomb == "symlinks":
        made.name, made.type, made.linkname = f"{number}", tarfile.SYMTYPE, "t/" * 2000
    elif bomb == "whiteouts":
        made.name = ".wh." + f"{number}".zfill(250)
    return made.tobuf(tarfile.PAX_FORMAT)

bomb, entries = sys.argv[3], int(sys.argv[4])
same = entry(0) * 200 if bomb == "entries" else None
builder = LayerBuilder(Path(sys.argv[1]), compression="none", format=LayerFormat(sys.argv[2]))
at_first = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    for start in range(0, entries, 200):
        builder.feed(same or b"".join(map(entry, range(start, start + 200))))
except Corrupt as error:
    print(error.message)
builder.abort()
own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - at_first
print(max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
"""


def fed_without_end(layers: Any, bomb: str, entries: int) -> str:
    """The words that end it, before more than 128 MiB of memory are taken."""
    done = subprocess.run(
        [sys.executable, "-c", ENDLESS,
         layers.path(".layer"), layers.format.value, bomb, str(entries)],
        capture_output=True, check=True,
    )  # fmt: skip
    message, peak_kib = done.stdout.decode().splitlines()
    assert int(peak_kib) < 128 * 1024
    return message


@pytest.mark.soak
@pytest.mark.skipif(not SOAK, reason="half a minute each")
def test_ten_million_empty_entries(layers: Any) -> None:
    """The same name each time, and the bound is a million: the rest is not read."""
    assert "more than 1000000 entries" in fed_without_end(layers, "entries", 10_000_000)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("bomb", "entries"),
    [("directories' xattrs", 4_000)] + [("symlinks", 40_000), ("whiteouts", 500_000)] * SOAK,
)
def test_text_that_is_kept_until_the_end(layers: Any, bomb: str, entries: int) -> None:
    """What compresses to nothing, and would take hundreds of megabytes of the supervisor's."""
    assert "take more than allowed" in fed_without_end(layers, bomb, entries)


def test_memory_of_a_worker_is_bounded(layers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree that does not fit: paths that imply two thousand directories each."""
    if layers.format is LayerFormat.EROFS:
        pytest.skip("made in the supervisor, where the entries are what is bounded")
    from stacker.drivers.images.directory import body

    monkeypatch.setattr(body, "MEMORY", 64 * MIB)
    data = layers.archive(*(layers.member(f"{n}" + "/d" * 2000) for n in range(200)))
    with pytest.raises(Corrupt, match="needs more memory than is allowed"):
        layers.build(data)


def test_time_of_a_worker_is_bounded(layers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if layers.format is LayerFormat.EROFS:
        pytest.skip("made in the supervisor, where the steps are what is bounded")
    from stacker.drivers.images.directory import body

    monkeypatch.setattr(body, "CPU_S", 1)
    header = tarfile.TarInfo("f").tobuf() * 2000
    with pytest.raises(Corrupt, match="more processor time than is allowed"):
        layers.build(header * 500)


def test_damaged_layers_leave_nothing(layers: Any) -> None:
    """CVE-2026-114236: each one cost podman a descriptor."""
    data = gzip.compress(layers.archive(layers.member("f", b"x" * 5000)))
    rounds = DAMAGED if layers.format is LayerFormat.EROFS else DAMAGED // 15
    for number in range(rounds):
        cut = data[: 20 + number % (len(data) - 30)]
        with pytest.raises(Corrupt):
            layers.build(cut, compression="gzip")


@pytest.mark.soak
def test_the_cost_of_opaque_markers_is_linear(layers: Any) -> None:
    """CVE-2026-95838: each marker made containerd walk the directory again."""
    # as files of a directory they would cost more than the markers, and hide what those do
    many = 10_000 if SOAK and layers.format is LayerFormat.EROFS else 100
    files = layers.archive(*(layers.member(f"d/{n}") for n in range(many)))

    def cost(count: int) -> float:
        marker = layers.archive(layers.member("d/.wh..wh..opq"))[:512]
        data = files.rstrip(b"\0")
        data += bytes(-len(data) % 512) + marker * count
        before = _cpu()
        discard(layers.build(data, extract=False).path)
        return _cpu() - before

    cost(1000)
    small, large = (min(cost(count) for _ in range(2)) for count in (MARKERS // 2, MARKERS))
    # twice the markers beside the same files: a bit less than twice the time
    assert large < 2.2 * small + 0.05


def _cpu() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
@pytest.mark.soak
def test_noise_in_compressed_layers(layers: Any, compression: str) -> None:
    """D5: whatever the decompressors make of it, it ends, soon, with a layer or Corrupt."""
    if layers.format is LayerFormat.DIRECTORY:
        pytest.skip("the same decompressors")
    import random

    random_ = random.Random(5)
    plain = layers.archive(layers.member("f", random_.randbytes(3000)), layers.directory("d"))
    pack = gzip.compress if compression == "gzip" else zstandard.compress
    whole = pack(plain)
    limits = LayerLimits(uncompressed=1 << 20, tar=tar.Limits(entries=1000))
    for _ in range(NOISE):
        data = bytearray(whole)
        for _ in range(random_.randrange(1, 6)):
            data[random_.randrange(len(data))] = random_.randrange(256)
        builder = LayerBuilder(layers.path(".layer"), compression=compression, limits=limits)  # type: ignore[arg-type]
        started = time.process_time()
        try:
            builder.feed(bytes(data))
            builder.finish()
        except Corrupt:
            pass
        finally:
            builder.abort()
        assert time.process_time() - started < 1 * SLOWNESS
