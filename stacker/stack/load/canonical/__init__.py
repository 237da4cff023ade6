"""Short forms to long ones, text to typed values: a tree becomes the parts of a `Stack`.

One file a family of fields, each a table of decoders. A decoder takes an `At` and gives a value
or raises `Refused`; it reads no file, no variable and no other field.
"""

from __future__ import annotations

from stacker.stack.load.canonical.draft import Draft, EnvFile, ServiceDraft
from stacker.stack.load.canonical.top import canonical

__all__ = ["Draft", "EnvFile", "ServiceDraft", "canonical"]
