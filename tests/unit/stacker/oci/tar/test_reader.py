"""The tar reader against Python's own writer: every format, every type, any cut of the stream."""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacker.base.errors import Corrupt
from stacker.oci.tar import Entry, Hole, Kind, Limits, TarReader

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def member(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, content


def archive(*members: tuple[tarfile.TarInfo, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format, encoding="utf-8") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def read(
    data: bytes, step: int = 1 << 20, limits: Limits | None = None
) -> list[tuple[Entry, bytes]]:
    """Entries with their content put together; checks that the content is what was announced."""
    reader = TarReader(limits)
    found: list[tuple[Entry, bytearray]] = []
    for start in range(0, len(data), step):
        for event in reader.feed(data[start : start + step]):
            if isinstance(event, Entry):
                found.append((event, bytearray()))
            elif isinstance(event, Hole):
                found[-1][1].extend(bytes(event.size))
            else:
                found[-1][1].extend(event)
    reader.finish()
    for entry, content in found:
        assert len(content) == entry.size
    assert reader.entries == len(found)
    return [(entry, bytes(content)) for entry, content in found]


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
def test_every_type_in_every_format(format: int) -> None:
    data = archive(
        member("d/", type=tarfile.DIRTYPE, mode=0o1777, mtime=1),
        member("d/file", b"x" * 1000, mode=0o4755, uid=12, gid=34, mtime=1_700_000_000),
        member("d/hard", type=tarfile.LNKTYPE, linkname="d/file"),
        member("d/soft", type=tarfile.SYMTYPE, linkname="../elsewhere"),
        member("char", type=tarfile.CHRTYPE, devmajor=1, devminor=300),
        member("block", type=tarfile.BLKTYPE, devmajor=8, devminor=1),
        member("fifo", type=tarfile.FIFOTYPE),
        member("contiguous", b"abc", type=tarfile.CONTTYPE),
        format=format,
    )
    entries = read(data)
    assert [(entry.name.rstrip(b"/"), entry.kind) for entry, _ in entries] == [
        (b"d", Kind.DIRECTORY),
        (b"d/file", Kind.FILE),
        (b"d/hard", Kind.LINK),
        (b"d/soft", Kind.SYMLINK),
        (b"char", Kind.CHAR),
        (b"block", Kind.BLOCK),
        (b"fifo", Kind.FIFO),
        (b"contiguous", Kind.FILE),
    ]
    directory, file, hard, soft, char, block, *_ = (entry for entry, _ in entries)
    assert directory.mode == 0o1777
    assert (file.mode, file.uid, file.gid, file.size) == (0o4755, 12, 34, 1000)
    assert file.mtime_ns == 1_700_000_000 * 10**9
    assert (hard.target, hard.size) == (b"d/file", 0)
    assert soft.target == b"../elsewhere"
    assert (char.major, char.minor, block.major) == (1, 300, 8)
    assert entries[1][1] == b"x" * 1000


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["gnu", "pax"])
def test_long_names_and_links(format: int) -> None:
    name = "/".join(["component" * 10] * 12)
    data = archive(
        member(name, b"1"),
        member("link", type=tarfile.SYMTYPE, linkname=name),
        member("short", b"2"),
        format=format,
    )
    (first, _), (link, _), (short, _) = read(data)
    assert first.name == name.encode()
    assert link.target == name.encode()
    assert short.name == b"short"


def test_ustar_prefix() -> None:
    name = "a" * 90 + "/" + "b" * 90
    assert read(archive(member(name), format=tarfile.USTAR_FORMAT))[0][0].name == name.encode()


def test_names_are_any_bytes() -> None:
    name = bytes(range(1, 47)) + bytes(range(48, 100))
    info, content = member(name.decode("latin-1"))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT, encoding="latin-1") as t:
        t.addfile(info, io.BytesIO(content))
    assert read(buffer.getvalue())[0][0].name == name


def test_large_and_negative_numbers_in_base_256() -> None:
    data = archive(
        member("ids", uid=4_294_967_294, gid=3_000_000_000, mtime=-5), format=tarfile.GNU_FORMAT
    )
    entry = read(data)[0][0]
    assert (entry.uid, entry.gid, entry.mtime_ns) == (4_294_967_294, 3_000_000_000, -5 * 10**9)


def test_pax_times_xattrs_and_binary_values() -> None:
    value = bytes(range(256))
    headers = {
        "mtime": "1700000000.123456789",
        "SCHILY.xattr.user.text": "a=b\nc",
        "LIBARCHIVE.xattr.user.%62inary": "AAEC",
    }
    data = archive(member("f", b"content", pax_headers=headers), member("g", mtime=-1.5))
    (entry, _), (before_epoch, _) = read(data)
    assert entry.mtime_ns == 1_700_000_000_123_456_789
    assert entry.xattrs == {b"user.text": b"a=b\nc", b"user.binary": b"\0\1\2"}
    assert before_epoch.mtime_ns == -1_500_000_000
    assert not before_epoch.xattrs
    raw = pax_record(b"SCHILY.xattr.security.capability", value)
    assert read(with_pax(raw))[0][0].xattrs == {b"security.capability": value}


def pax_record(key: bytes, value: bytes) -> bytes:
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def with_pax(records: bytes, content: bytes = b"", flag: bytes = b"x") -> bytes:
    header = archive(member("x", records, type=flag), format=tarfile.USTAR_FORMAT)
    header = header[: 512 + len(records) + -len(records) % 512]
    return header + archive(member("plain", content), format=tarfile.USTAR_FORMAT)


def test_the_last_record_of_a_key_wins_and_an_empty_one_takes_it_back() -> None:
    records = pax_record(b"path", b"one") + pax_record(b"path", b"two")
    assert read(with_pax(records))[0][0].name == b"two"
    assert read(with_pax(records + pax_record(b"path", b"")))[0][0].name == b"plain"


def test_global_headers_are_skipped_as_gos_readers_do() -> None:
    assert read(with_pax(pax_record(b"path", b"other"), flag=b"g"))[0][0].name == b"plain"


def test_pax_size_overrides_the_header() -> None:
    data = bytearray(with_pax(pax_record(b"size", b"700"), b"z" * 700))
    at = data.index(b"plain")
    data[at + 124 : at + 136] = b"00000000000\0"
    data[at + 148 : at + 156] = b" " * 8
    data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])
    assert read(bytes(data))[0][1] == b"z" * 700


@given(st.integers(min_value=1, max_value=3000), st.sampled_from(list(FORMATS.values())))
def test_how_the_stream_is_cut_does_not_matter(step: int, format: int) -> None:
    names = ["n" * length for length in (1, 99, 100)]
    members = [member(name, bytes([i]) * size) for i, name in enumerate(names) for size in SIZES]
    data = archive(*members, format=format)
    assert read(data, step) == read(data)


SIZES = (0, 1, 511, 512, 513, 5000)


def test_content_is_not_copied() -> None:
    data = archive(member("f", b"y" * 100_000))
    events = TarReader().feed(data)
    views = [event for event in events if isinstance(event, memoryview)]
    assert [view.obj is data for view in views] == [True]


def test_ends() -> None:
    data = archive(member("f", b"abc"))[: 512 + 512]
    assert len(read(data)) == 1, "no end marker"
    assert len(read(data[: 512 + 3])) == 1, "no padding"
    assert len(read(data + bytes(512))) == 1, "half an end marker"
    assert len(read(data + bytes(1024) + b"anything")) == 1, "rubbish behind the end"
    assert read(b"") == []


BAD = {
    "cut in a header": archive(member("f", b"abc"))[:300],
    "cut in content": archive(member("f", b"abc" * 1000))[:1000],
    "cut after an extension": with_pax(pax_record(b"path", b"p"))[:1024],
    "end after an extension": with_pax(pax_record(b"path", b"p"))[:1024] + bytes(1024),
    "header after one zero block": bytes(512) + archive(member("f")),
    "checksum": b"g" + archive(member("f"))[1:],
    "not a tar": b"this is no archive".ljust(512, b"\n"),
    "record without length": with_pax(b"path=x\n"),
    "record with a signed length": with_pax(b"+9 path=x\n"),
    "record that is too long": with_pax(b"99 path=x\n"),
    "record without newline": with_pax(b"9 path=xy"),
    "record of no key": with_pax(b"5 =x\n"),
    "NUL in a path": with_pax(pax_record(b"path", b"a\0b")),
    "negative size": with_pax(pax_record(b"size", b"-1")),
    "size in words": with_pax(pax_record(b"size", b"many")),
    "size in Unicode digits": with_pax(pax_record(b"size", "٣".encode())),
    "size over the limit": with_pax(pax_record(b"size", b"9" * 18)),
    "uid that is -1": with_pax(pax_record(b"uid", b"4294967295")),
    "time in words": with_pax(pax_record(b"mtime", b"now")),
    "long xattr name": with_pax(pax_record(b"SCHILY.xattr." + b"n" * 300, b"")),
    "no xattr name": with_pax(pax_record(b"SCHILY.xattr.", b"")),
    "xattr that is not base64": with_pax(pax_record(b"LIBARCHIVE.xattr.user.a", b"!!!")),
    "name over PATH_MAX": with_pax(pax_record(b"path", b"a" * 5000)),
    "sparse map out of order": with_pax(
        pax_record(b"GNU.sparse.size", b"100") + pax_record(b"GNU.sparse.map", b"50,1,10,1"), b"ab"
    ),
    "sparse map beyond the file": with_pax(
        pax_record(b"GNU.sparse.size", b"10") + pax_record(b"GNU.sparse.map", b"9,2"), b"ab"
    ),
    "sparse map of odd length": with_pax(
        pax_record(b"GNU.sparse.size", b"10") + pax_record(b"GNU.sparse.map", b"9"), b"ab"
    ),
    "sparse map that is not stored": with_pax(
        pax_record(b"GNU.sparse.size", b"10") + pax_record(b"GNU.sparse.map", b"0,5"), b"ab"
    ),
    "symlink to nothing": archive(member("l", type=tarfile.SYMTYPE, linkname="")),
    "name of nothing": archive(member("", b"")),
    "unknown type": archive(member("v", type=b"V")),
    "multi-volume": archive(member("v", type=b"M")),
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
@pytest.mark.parametrize("step", [1 << 20, 100])
def test_refused(data: bytes, step: int) -> None:
    with pytest.raises(Corrupt):
        read(data, step)


@pytest.mark.parametrize("data", [b"this is no archive", b"login\nsystem\n", b"\x7fELF"])
def test_what_is_no_tar_at_all_is_called_so(data: bytes) -> None:
    with pytest.raises(Corrupt, match="this is not a tar archive"):
        read((data * 512)[:2048])


def test_negative_base_256_sizes_are_refused() -> None:
    """CVE-2025-8194: such a size made tarfile read for ever."""
    data = bytearray(archive(member("f", b"abc"), format=tarfile.USTAR_FORMAT))
    data[124:136] = b"\xff" * 12
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    with pytest.raises(Corrupt, match="size"):
        read(bytes(data))


def test_signed_checksums_of_old_writers() -> None:
    data = bytearray(archive(member("f"), format=tarfile.USTAR_FORMAT))
    data[0:2] = b"\xe9\xe8"
    data[148:156] = b" " * 8
    signed = sum(byte - 256 if byte > 127 else byte for byte in data[:512])
    data[148:156] = b"%06o\0 " % signed
    assert read(bytes(data))[0][0].name == b"\xe9\xe8"


def test_limits() -> None:
    data = archive(*(member(f"f{i}") for i in range(5)))
    assert len(read(data, limits=Limits(entries=5))) == 5
    with pytest.raises(Corrupt, match="more than 4 entries"):
        read(data, limits=Limits(entries=4))
    one = with_pax(pax_record(b"comment", b"c"))[:1024]
    with pytest.raises(Corrupt, match="extension headers"):
        read(one * 20 + archive(member("f")))
    with pytest.raises(Corrupt, match="extension size"):
        read(with_pax(pax_record(b"comment", b"c" * 2_000_000)))
