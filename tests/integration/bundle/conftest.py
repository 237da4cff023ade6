"""The fixtures of the runtime's tests, for bundles that stacker has built."""

from __future__ import annotations

from tests.integration.runtime.conftest import (
    any_runtime,
    identity,
    runtime,
)

__all__ = ["any_runtime", "identity", "runtime"]
