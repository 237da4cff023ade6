"""Weights of block I/O, which the specification has from version 1: 10 to 1000."""

from __future__ import annotations

from runtime.errors import SpecInvalid

_LEAST, _MOST = 10, 1000


def check_weight(weight: int, field: str) -> None:
    if not _LEAST <= weight <= _MOST:
        raise SpecInvalid(f"linux.resources.{field}: {weight} is not from {_LEAST} to {_MOST}")
