"""Attributes of netlink messages: what is packed reads back, and no length wraps around."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.linux.netlink import attribute, attributes


@given(st.dictionaries(st.integers(1, 0x3FFF), st.binary(max_size=100)))
def test_attributes_read_back(values: dict[int, bytes]) -> None:
    assert attributes(b"".join(attribute(kind, value) for kind, value in values.items())) == values


@given(st.binary(max_size=200))
def test_any_bytes_are_read(data: bytes) -> None:
    assert sum(len(value) for value in attributes(data).values()) <= len(data)


def test_a_length_that_does_not_fit_is_refused() -> None:
    """CVE-2021-43784: 65536 bytes and more once looked like a few, the rest like attributes."""
    assert len(attribute(1, bytes(0xFFFF - 4))) == 0x10000
    for length in (0xFFFF - 3, 0x10000, 0x1FFFF):
        with pytest.raises(ValueError, match="does not fit"):
            attribute(1, bytes(length))
