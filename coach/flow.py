"""Concurrent work with a bound, results in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")

LOOKAHEAD = 4
"""Jobs started or finished ahead of the one the reader waits for, as a multiple of `limit`; bounds memory."""


async def in_order(jobs: Iterable[Callable[[], Awaitable[T]]], *, limit: int) -> AsyncIterator[T]:
    """Run jobs, at most `limit` at once, and yield their results in the order of the jobs.

    Jobs are taken from the iterable as there is room, so it may be endless. When the reader stops or a job raises, what
    is under way is cancelled and awaited.
    """
    gate = asyncio.Semaphore(limit)
    pending: deque[asyncio.Task[T]] = deque()

    async def gated(job: Callable[[], Awaitable[T]]) -> T:
        async with gate:
            return await job()

    try:
        for job in jobs:
            pending.append(asyncio.create_task(gated(job)))
            if len(pending) >= LOOKAHEAD * limit:
                yield await pending.popleft()
        while pending:
            yield await pending.popleft()
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
