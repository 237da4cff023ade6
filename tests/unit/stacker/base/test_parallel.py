from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from stacker.base.errors import Corrupt
from stacker.base.parallel import run_all


async def test_the_first_error_stands_for_all() -> None:
    async def fail() -> None:
        raise Corrupt("this one")

    with pytest.raises(Corrupt, match="this one"):
        await run_all([fail, anyio.sleep_forever, fail])


async def test_other_errors_are_not_hidden() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(BaseExceptionGroup):
        await run_all([fail])


async def test_no_more_than_so_many_at_once() -> None:
    running = most = ended = 0

    async def work() -> None:
        nonlocal running, most, ended
        running += 1
        most = max(most, running)
        await anyio.lowlevel.checkpoint()
        running -= 1
        ended += 1

    await run_all([work] * 7, at_once=3)
    assert (most, ended) == (3, 7)


async def test_what_waits_for_its_turn_is_not_begun_after_an_error() -> None:
    begun: list[int] = []

    async def fail() -> None:
        begun.append(1)
        raise Corrupt("this one")

    with pytest.raises(Corrupt, match="this one"):
        await run_all([fail, fail, fail], at_once=1)
    assert begun == [1]
