"""Calls that ask for leave first: one rate and one purse for many processes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Protocol

from coach.errors import CoachError, CostCapReached
from coach.flow import standing_still
from coach.judges.budget import booked, worst_cost
from coach.judges.chat import Around, ChatReply, ChatRequest
from coach.judges.endpoint import Endpoint

FIRST_LOOK, LONGEST_LOOK = 0.5, 16.0
"""Seconds between questions for money that others have set aside, doubled each time."""
PATIENCE = 120.0
"""Seconds without a call let go after which money set aside counts as lost: whoever has it is gone and gives none back."""


class Warden(Protocol):
    """Hands out leave to call."""

    async def reserve(self, worst: float) -> float | None:
        """Seconds to wait before a call that can cost so much.

        None where there is no money for it; infinite where others have set it aside and may not need it: ask again.
        """

    async def settle(self, worst: float, cost: float) -> None:
        """What was set aside is free again, and so much was paid."""


class PacedEndpoint(Around):
    """Passes calls on when the warden lets them.

    Args:
        endpoint: the real one.
        warden: shared by all.
        sleep: how waits are spent.
    """

    def __init__(
        self, endpoint: Endpoint, warden: Warden, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        super().__init__(endpoint)
        self._price, self._warden, self._sleep = endpoint.price, warden, sleep

    async def complete(self, request: ChatRequest, *, on_text: Callable[[str], None] | None = None) -> ChatReply:
        """See `ChatEndpoint.complete`. Waiting for leave does not count towards a `time_limit`.

        Raises:
            CostCapReached: this call could pass the cap.
        """
        worst = worst_cost(request, self._price) if self._price else 0.0
        wait = await self._leave(worst)
        cost = 0.0
        try:
            # Calls in line at a low rate wait longer than any of them may take.
            with standing_still():
                await self._sleep(wait)
            reply = await self._endpoint.complete(request, on_text=on_text)
            cost = booked(reply.usage, self._price, worst)
            return reply
        except CoachError as error:
            cost = booked(error.usage, self._price, worst)
            raise
        finally:
            await self._warden.settle(worst, cost)

    async def _leave(self, worst: float) -> float:
        """Seconds to wait before the call."""
        pause = FIRST_LOOK
        while (wait := await self._warden.reserve(worst)) == math.inf:
            await self._sleep(pause)
            pause = min(2 * pause, LONGEST_LOOK)
        if wait is None:
            raise CostCapReached(f"the cost cap is reached: the next call could cost ${worst:.4f}")
        return wait


class Purse:
    """Money and moments to hand out; no I/O here.

    Args:
        per_minute: calls that may start in a minute, evenly spread; None for any number.
        max_cost: US dollars in all; None for any sum.
    """

    def __init__(self, *, per_minute: float | None, max_cost: float | None) -> None:
        self._gap = 60.0 / per_minute if per_minute else 0.0
        self._cap = max_cost
        self._next = 0.0
        self._spent = self._reserved = 0.0
        self._let_go = -math.inf

    def reserve(self, worst: float, now: float) -> float | None:
        """See `Warden.reserve`.

        Args:
            worst: US dollars.
            now: seconds, monotonic.
        """
        if self._cap is not None and self._spent + self._reserved + worst > self._cap:
            to_come = self._spent + worst <= self._cap and now - self._let_go < PATIENCE
            return math.inf if to_come else None
        self._reserved += worst
        self._let_go = now
        start = max(now, self._next)
        self._next = start + self._gap
        return start - now

    def settle(self, worst: float, cost: float) -> None:
        """See `Warden.settle`."""
        self._reserved -= worst
        self._spent += cost
