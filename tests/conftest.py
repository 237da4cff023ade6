"""Fixtures for every test: the anyio backend, who may run, and a place of one's own."""

from __future__ import annotations

import os
import signal

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


def pytest_configure() -> None:
    """A shell's background job begins with SIGINT ignored, and would hand that on to children."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that need root fail in CI when they cannot run; elsewhere they say why they skip."""
    if os.geteuid() == 0 or os.environ.get("CI"):
        return
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(pytest.mark.skip(reason="needs root"))
