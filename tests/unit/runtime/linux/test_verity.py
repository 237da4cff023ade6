"""fs-verity where it cannot be had; where it can, see tests/integration/images/test_verity.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.linux.verity import enable_verity, measure_verity


def test_a_file_system_without_it() -> None:
    with Path("/proc/self/status").open() as file:
        for call in (enable_verity, measure_verity):
            with pytest.raises(OSError, match=r"Inappropriate ioctl|not supported"):
                call(file.fileno())
