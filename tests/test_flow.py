from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest

from coach.flow import LOOKAHEAD, in_order


def jobs(*delays: float) -> list[Callable[[], Awaitable[float]]]:
    def job(delay: float) -> Callable[[], Awaitable[float]]:
        async def work() -> float:
            await asyncio.sleep(delay)
            return delay

        return work

    return [job(d) for d in delays]


async def collect(work: list[Callable[[], Awaitable[float]]], limit: int) -> list[float]:
    return [result async for result in in_order(work, limit=limit)]


def test_results_keep_the_order_of_the_jobs() -> None:
    assert asyncio.run(collect(jobs(0.03, 0.0, 0.01), limit=3)) == [0.03, 0.0, 0.01]


def test_no_more_than_the_limit_run_at_once() -> None:
    running = peak = 0

    async def work() -> float:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0.001)
        running -= 1
        return 0.0

    asyncio.run(collect([work] * 20, limit=3))
    assert peak == 3


def test_jobs_are_taken_only_as_there_is_room() -> None:
    taken = 0

    def endless() -> Iterator[Callable[[], Awaitable[float]]]:
        nonlocal taken
        while True:
            taken += 1
            yield jobs(0.0)[0]

    async def first() -> float:
        results = in_order(endless(), limit=2)
        try:
            return await anext(results)
        finally:
            await results.aclose()  # type: ignore[attr-defined]

    asyncio.run(first())
    assert taken <= LOOKAHEAD * 2


def test_an_error_is_raised_and_the_rest_cancelled() -> None:
    cancelled = []

    async def fails() -> float:
        raise ValueError("broken")

    async def waits() -> float:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise
        return 0.0

    with pytest.raises(ValueError, match="broken"):
        asyncio.run(collect([fails, waits], limit=2))
    assert cancelled == [True]
