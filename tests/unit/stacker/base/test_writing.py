"""stacker.base.writing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stacker.base.writing import write_all


@pytest.mark.parametrize("taken", [1, 3, 10, 11])
def test_all_is_written_where_the_kernel_takes_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    write = os.write
    fd = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", lambda fd, data: write(fd, data[:taken]))
            write_all(fd, b"0123456789")
            write_all(fd, memoryview(b"ab"))
    finally:
        os.close(fd)
    assert (tmp_path / "file").read_bytes() == b"0123456789ab"
