"""I12 and D5: whatever the bytes are, the reader ends, soon, with Corrupt or a result.

STACKER_SOAK=1 makes a million headers of it.
"""

from __future__ import annotations

import os
import random
import time

import pytest

from stacker.base.errors import Corrupt
from stacker.oci.tar import Entry, Hole, Limits, TarReader

SEED = 20_251_123
SOAK = os.environ.get("STACKER_SOAK") == "1"
ARCHIVES = 400_000 if SOAK else 10_000
FLIPS = 10_000 if SOAK else 200
TYPES = b"0\x001234567SLKxXgVMDNA\xff"
FIELDS = ((100, 108), (108, 116), (116, 124), (124, 136), (136, 148), (329, 337), (337, 345))
NUMBERS = (
    b"", b"0", b"7" * 11, b"-1", b"+1", b"1_0", b"0x1", b" 12 ", b"8", b"\x80" + bytes(10) + b"\1",
    b"\xff" * 12, b"\x80" + b"\xff" * 11, b"00000000100\0", b"000000\x001",
)  # fmt: skip
PAYLOADS = (
    b"", b"30 mtime=1.5\n", b"12 mtime=1.5\n", b"9 size=1\n", b"11 path=a/b\n", b"0 a=b\n",
    b"99999999 a=b\n", b"22 GNU.sparse.major=1\n26 GNU.sparse.realsize=99\n", b"\xff" * 40,
    b"25 GNU.sparse.map=0,1,5,1\n22 GNU.sparse.size=10\n", b"6 a=b\n" * 30,
)  # fmt: skip


def header(random_: random.Random) -> bytes:
    block = bytearray(512)
    block[0:100] = random_.choice([b"name", b"", b"a/b", b"\xff" * 100, b"/"]).ljust(100, b"\0")
    for start, end in FIELDS:
        number = random_.choice(NUMBERS) if random_.random() < 0.05 else b"0"
        block[start:end] = number[: end - start].ljust(end - start, b"\0")
    block[156] = random_.choice(TYPES if random_.random() < 0.3 else b"0125xL")
    payload = b""
    if block[156] in b"xXLKg" or random_.random() < 0.1:
        payload = random_.choice(PAYLOADS)
        if random_.random() < 0.9:
            block[124:136] = b"%011o\0" % len(payload)
    block[157:257] = random_.choice([b"", b"target", b"t" * 100]).ljust(100, b"\0")
    block[257:265] = random_.choice([b"ustar\x0000", b"ustar  \0", bytes(8)])
    if random_.random() < 0.1:
        block[345:512] = random_.randbytes(167)
    if random_.random() < 0.02:
        return bytes(512)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + payload + bytes(-len(payload) % 512)


@pytest.mark.soak
def test_random_headers_and_payloads() -> None:
    random_ = random.Random(SEED)
    outcomes = {"corrupt": 0, "read": 0}
    for _ in range(ARCHIVES):
        data = b"".join(header(random_) for _ in range(random_.randrange(1, 5)))
        reader = TarReader(Limits(size=1 << 16))
        started = time.process_time()
        try:
            for at in range(0, len(data), step := random_.choice([17, 512, 4096])):
                reader.feed(data[at : at + step])
            reader.finish()
            outcomes["read"] += 1
        except Corrupt:
            outcomes["corrupt"] += 1
        assert time.process_time() - started < 1
    assert min(outcomes.values()) > 500, "the generator must reach both ends"


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(8))
def test_flipped_bytes(seed: int) -> None:
    """Content that comes out always adds up to what its entry announced."""
    random_ = random.Random(seed)
    whole = b"".join(header(random_) for _ in range(64))
    for _ in range(FLIPS):
        data = bytearray(whole)
        for _ in range(random_.randrange(1, 6)):
            data[random_.randrange(len(data))] = random_.randrange(256)
        reader = TarReader(Limits(size=1 << 16))
        left = 0
        try:
            for event in reader.feed(bytes(data)):
                if isinstance(event, Entry):
                    assert left == 0
                    left = event.size
                else:
                    left -= event.size if isinstance(event, Hole) else len(event)
                    assert left >= 0
        except Corrupt:
            continue


def test_a_large_sparse_map_takes_linear_time() -> None:
    """A quadratic reader would need minutes for this map of 400,000 parts."""
    parts = 400_000
    text = b"%d\n" % parts + b"".join(b"%d\n1\n" % (2 * i) for i in range(parts))
    text += bytes(-len(text) % 512)
    records = b"".join(
        b"%d %s" % (len(record) + 3, record)
        for record in (b"GNU.sparse.major=1\n", b"GNU.sparse.realsize=800000\n")
    )
    block = bytearray(512)
    block[0:1], block[156:157], block[124:135] = b"p", b"x", b"%011o" % len(records)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    file = bytearray(512)
    file[0:1], file[156:157] = b"f", b"0"
    file[124:135] = b"%011o" % (len(text) + parts)
    file[148:156] = b" " * 8
    file[148:156] = b"%06o\0 " % sum(file)
    data = bytes(block) + records.ljust(512, b"\0") + bytes(file) + text + b"x" * parts
    started = time.process_time()
    reader = TarReader()
    size = 0
    for at in range(0, len(data), 1 << 16):
        for event in reader.feed(data[at : at + (1 << 16)]):
            size += event.size if isinstance(event, Hole) else 0
            size += len(event) if isinstance(event, memoryview) else 0
    reader.finish()
    assert size == 800_000
    assert time.process_time() - started < 10
