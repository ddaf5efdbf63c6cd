from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest

from coach.flow import Lane, standing_still, time_limit


def test_work_is_done_in_the_order_given_and_off_the_loop() -> None:
    seen: list[tuple[int, str]] = []

    def work(number: int) -> None:
        seen.append((number, threading.current_thread().name))

    async def go() -> None:
        lane = Lane("test")
        await asyncio.gather(*(lane.do(partial(work, n)) for n in range(5)))
        lane.end()

    asyncio.run(go())
    assert seen == [(n, "test") for n in range(5)]


def test_an_error_is_raised_where_the_result_is_awaited() -> None:
    def fails() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        asyncio.run(Lane("test").do(fails))


def test_work_that_waits_for_ever_does_not_keep_the_program_alive() -> None:
    async def go() -> None:
        async with asyncio.timeout(0.01):
            await Lane("test").do(threading.Event().wait)

    with pytest.raises(TimeoutError):
        asyncio.run(go())


async def _in_line(seconds: float) -> None:
    with standing_still():
        await asyncio.sleep(seconds)


def test_a_time_limit_stands_still_while_any_work_waits_for_its_turn() -> None:
    async def go() -> None:
        async with time_limit(0.5):
            await asyncio.gather(_in_line(0.01), _in_line(0.7))

    asyncio.run(go())


def test_a_time_limit_goes_on_after_it_stood_still() -> None:
    async def go() -> None:
        async with time_limit(0.2):
            await asyncio.sleep(0.01)
            await _in_line(0.01)
            await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        asyncio.run(go())


def test_a_time_limit_that_is_over_cannot_be_held_up() -> None:
    async def go() -> None:
        async with time_limit(0.01):
            try:
                await asyncio.sleep(60)
            finally:
                await _in_line(0.01)

    with pytest.raises(TimeoutError):
        asyncio.run(go())


def test_no_time_limit_need_be_there_to_stand_still() -> None:
    asyncio.run(_in_line(0.0))
