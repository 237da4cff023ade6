"""One spelling of a JSON value, so that equal values have equal bytes and equal digests.

Used for fingerprints and for the documents of images that stacker itself makes.
"""

from __future__ import annotations

import json


def dumps(value: object) -> bytes:
    """Sorted keys, no spaces, UTF-8 as it is; NaN and infinities have no spelling."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()
