from __future__ import annotations

import anyio
import anyio.lowlevel

from stacker.drivers.images.keyed_locks import KeyedLocks
from stacker.drivers.images.pins import Pins
from stacker.oci import digest


async def test_one_at_a_time_for_a_key() -> None:
    locks = KeyedLocks()
    inside: dict[str, int] = {"a": 0, "b": 0}
    most = 0

    async def work(key: str) -> None:
        nonlocal most
        async with locks.hold(key):
            inside[key] += 1
            most = max(most, *inside.values())
            await anyio.lowlevel.checkpoint()
            inside[key] -= 1

    async with anyio.create_task_group() as group:
        for key in "aaabbb":
            group.start_soon(work, key)
    assert most == 1
    assert not vars(locks)["_locks"]


async def test_pins_count() -> None:
    pins, one = Pins(), digest.of(b"1")
    with pins.held() as first:
        await first.add([one, one])
        with pins.held() as second:
            await second.add([one])
        async with pins.frozen() as pinned:
            assert pinned == {one}
    async with pins.frozen() as pinned:
        assert pinned == set()
