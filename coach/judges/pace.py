"""How many calls an endpoint takes at once: more while it goes well, half when it asks to wait. No I/O here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

START = 16.0
"""Calls at once until an endpoint has shown what it takes."""
LEAST = 1.0
LONGEST_WAIT = 60.0
"""Seconds; a longer wait that an endpoint asks for is cut to this, and the next try decides."""
SETTLE = 1.0
"""Seconds in which refusals count as one: calls that went out together come back refused together."""


class Pace:
    """Additive increase, multiplicative decrease, as in congestion control; doubled each round before the first refusal.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._limit = START
        self._refused_at: float | None = None
        self._not_before = 0.0

    @property
    def limit(self) -> int:
        """Calls that may be under way at once, at least 1."""
        return int(self._limit)

    @property
    def pause(self) -> float:
        """Seconds until the next call may start; 0 where it may at once."""
        return max(0.0, self._not_before - self._clock())

    def went_well(self, under_way: int) -> None:
        """A call succeeded while so many were under way. A limit that nobody reaches does not grow."""
        if under_way >= self.limit:
            self._limit += 1.0 if self._refused_at is None else 1.0 / self._limit

    def held_up(self, wait: float | None = None) -> None:
        """The endpoint refused for being busy, or did not answer.

        Args:
            wait: seconds it asked to stay away.
        """
        now = self._clock()
        if wait is not None:
            self.wait(wait)
        if self._refused_at is None or now - self._refused_at >= SETTLE:
            self._refused_at = now
            self._limit = max(LEAST, self._limit / 2)

    def wait(self, seconds: float) -> None:
        """Start nothing for so long, LONGEST_WAIT at most."""
        self._not_before = max(self._not_before, self._clock() + min(seconds, LONGEST_WAIT))

    async def rest(self, seconds: float) -> None:
        """Spend the wait of a call before its next try."""
        await asyncio.sleep(seconds)
