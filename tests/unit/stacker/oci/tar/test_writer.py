"""What the writer writes, our reader, Python's and GNU tar read back as it was."""

from __future__ import annotations

import io
import subprocess
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from stacker.oci import tar
from stacker.oci.tar import writer

NAMES = st.binary(min_size=1, max_size=300).filter(
    lambda name: b"\0" not in name and not name.endswith(b"/")
)
XATTRS = st.dictionaries(
    st.binary(min_size=1, max_size=20).map(lambda tail: b"user." + tail.hex().encode()),
    st.binary(max_size=40),
    max_size=2,
)
TIMES = st.one_of(
    st.integers(0, 1 << 33).map(lambda s: s * 10**9), st.integers(-(1 << 62), 1 << 66)
)


@st.composite
def entries(draw: st.DrawFn) -> tar.Entry:
    kind = draw(st.sampled_from(tar.Kind))
    is_device = kind in (tar.Kind.CHAR, tar.Kind.BLOCK)
    name = draw(NAMES)
    return tar.Entry(
        name=name + b"/" if kind is tar.Kind.DIRECTORY else name,
        kind=kind,
        mode=draw(st.integers(0, 0o7777)),
        uid=draw(st.integers(0, (1 << 32) - 2)),
        gid=draw(st.integers(0, (1 << 32) - 2)),
        size=draw(st.integers(0, 2000)) if kind is tar.Kind.FILE else 0,
        mtime_ns=draw(TIMES),
        target=draw(NAMES) if kind in (tar.Kind.LINK, tar.Kind.SYMLINK) else b"",
        major=draw(st.integers(0, 4095)) if is_device else 0,
        minor=draw(st.integers(0, (1 << 20) - 1)) if is_device else 0,
        xattrs=draw(XATTRS),
    )


def written(found: list[tar.Entry]) -> bytes:
    out = b"".join(
        writer.header(entry) + b"x" * entry.size + writer.padding(entry.size) for entry in found
    )
    return out + writer.END


@given(st.lists(entries(), max_size=4))
def test_what_is_written_is_read(found: list[tar.Entry]) -> None:
    reader = tar.TarReader()
    data = written(found)
    events = reader.feed(data)
    reader.finish()
    assert [event for event in events if isinstance(event, tar.Entry)] == found
    assert len(data) % writer.BLOCK == 0


def test_large_files_and_ids_stand_in_pax_records() -> None:
    entry = tar.Entry(
        name=b"n" * 101, kind=tar.Kind.FILE, mode=0o644, uid=(1 << 32) - 2, gid=0o10000000,
        size=1 << 40, mtime_ns=1_600_000_000_123_000_000,
    )  # fmt: skip
    head = writer.header(entry)
    with tarfile.open(fileobj=io.BytesIO(head), mode="r:") as read:
        info = read.next()
    assert info is not None
    assert (info.name, info.uid, info.gid) == ("n" * 101, (1 << 32) - 2, 0o10000000)
    assert info.size == 1 << 40
    assert info.pax_headers["mtime"] == "1600000000.123"
    # a record counts its own length's digits: 99 bytes and two digits are 101, in three
    for length in range(80, 110):
        tail = tar.Entry(
            name=b"a", kind=tar.Kind.SYMLINK, mode=0o777, uid=0, gid=0, size=0, mtime_ns=0,
            target=b"t" * (length + 100),
        )  # fmt: skip
        assert tar.TarReader().feed(writer.header(tail)) == [tail]


def test_gnu_tar_lists_it() -> None:
    found = [
        tar.Entry(name=b"d/", kind=tar.Kind.DIRECTORY, mode=0o755, uid=0, gid=0, size=0,
                  mtime_ns=0),
        tar.Entry(name=b"d/f", kind=tar.Kind.FILE, mode=0o4755, uid=7, gid=8, size=3, mtime_ns=0,
                  xattrs={b"user.a": b"b"}),
        tar.Entry(name=b"d/" + b"l" * 150, kind=tar.Kind.LINK, mode=0o4755, uid=7, gid=8, size=0,
                  mtime_ns=0, target=b"d/f"),
    ]  # fmt: skip
    argv = ["tar", "-tv", "--numeric-owner", "--utc", "--full-time", "--xattrs"]
    out = subprocess.run(argv, input=written(found), capture_output=True, check=True)
    lines = out.stdout.decode().splitlines()
    assert out.stderr == b""
    assert lines[0].split()[:2] == ["drwxr-xr-x", "0/0"]
    assert lines[1].split()[:3] == ["-rwsr-xr-x*", "7/8", "3"]
    assert lines[-1].endswith("link to d/f")
