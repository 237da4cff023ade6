"""A namespace that plays the host, for each test; the machine's own is not touched."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.integration.networks.world import World, world


@pytest.fixture
def host(tmp_path: Path) -> Generator[World]:
    with world(tmp_path) as made:
        yield made
