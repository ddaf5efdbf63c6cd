from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest

from coach.flow import Lane


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
