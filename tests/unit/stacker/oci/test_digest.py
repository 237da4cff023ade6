from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacker.base.errors import Invalid
from stacker.oci import digest
from stacker.oci.digest import Digest

HEX = st.text("0123456789abcdef", min_size=64, max_size=64)


@given(HEX)
def test_spelling_is_kept(text: str) -> None:
    assert str(Digest.parse(f"sha256:{text}")) == f"sha256:{text}"


@given(st.text())
def test_nothing_else_is_one(text: str) -> None:
    with pytest.raises(Invalid):
        Digest.parse(text)


@given(st.binary())
def test_of_bytes(data: bytes) -> None:
    assert digest.of(data).hex == hashlib.sha256(data).hexdigest()
    assert Digest.parse(str(digest.of(data, algorithm="sha512"))).algorithm == "sha512"


@pytest.mark.parametrize(
    "text",
    [
        "sha256:" + "a" * 63,
        "sha256:" + "a" * 65,
        "sha256:" + "A" * 64,
        "sha256:" + "g" * 64,
        "sha256:" + "a" * 63 + "\n",
        "sha256:" + "\N{FULLWIDTH DIGIT ONE}" * 64,
        "sha256:../../../../etc/passwd",
        "sha256:" + "a" * 1_000_000,
        "sha256" + "a" * 64,
        "SHA256:" + "a" * 64,
        "sha384:" + "a" * 96,
        "sha512:" + "a" * 64,
        "md5:" + "a" * 32,
        " sha256:" + "a" * 64,
        "sha256:" + "a" * 64 + "@x",
    ],
)
def test_wrong_ones(text: str) -> None:
    """I3: what is no digest never becomes a path or a URL."""
    with pytest.raises(Invalid) as caught:
        Digest.parse(text)
    assert len(str(caught.value)) < 200
