"""A real supervisor where a test asks for one; the local time of every test is UTC."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.scenarios.conftest import busybox_tar, stacker

__all__ = ["busybox_tar", "stacker"]


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
