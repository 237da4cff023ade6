from __future__ import annotations

from hashlib import sha256

from stacker.oci import digest
from stacker.oci.chain_id import chain_ids

A, B, C = (digest.of(letter) for letter in (b"a", b"b", b"c"))


def test_as_the_specification_says() -> None:
    """image-spec config.md, "Layer ChainID"."""
    first, second, third = chain_ids([A, B, C])
    assert first == A
    assert second.hex == sha256(f"{A} {B}".encode()).hexdigest()
    assert third.hex == sha256(f"{second} {C}".encode()).hexdigest()


def test_none() -> None:
    assert chain_ids([]) == ()
