from __future__ import annotations

import anyio

from stacker.drivers.networks.coalesce import Coalesced


async def test_who_asks_while_one_runs_joins_the_next() -> None:
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        await anyio.lowlevel.checkpoint()

    coalesced = Coalesced(work)
    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(coalesced)
    assert runs <= 2
    await coalesced()
    assert runs <= 3


async def test_an_error_goes_to_those_of_its_run_and_to_nobody_after() -> None:
    fails = True

    async def work() -> None:
        await anyio.lowlevel.checkpoint()
        if fails:
            raise OSError("no")

    coalesced = Coalesced(work)
    caught = 0

    async def ask() -> None:
        nonlocal caught
        try:
            await coalesced()
        except OSError:
            caught += 1

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(ask)
    assert caught == 5
    fails = False
    await coalesced()


async def test_a_run_that_is_cancelled_is_done_by_the_next_in_line() -> None:
    gate, runs = anyio.Event(), 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            await gate.wait()

    coalesced = Coalesced(work)
    async with anyio.create_task_group() as tasks:
        with anyio.move_on_after(0.01):
            await coalesced()
        tasks.start_soon(coalesced)
    assert runs == 2
