"""Calls that ask for leave first: one rate and one purse for many processes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from coach.errors import CoachError, CostCapReached
from coach.flow import standing_still
from coach.judges.budget import booked, worst_cost
from coach.judges.chat import Around, ChatReply, ChatRequest
from coach.judges.endpoint import Endpoint


class Warden(Protocol):
    """Hands out leave to call."""

    async def reserve(self, worst: float) -> float | None:
        """Seconds to wait before a call that can cost so much; None where there is no money for it."""

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
        wait = await self._warden.reserve(worst)
        if wait is None:
            raise CostCapReached(f"the cost cap is reached: the next call could cost ${worst:.4f}")
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

    def reserve(self, worst: float, now: float) -> float | None:
        """See `Warden.reserve`.

        Args:
            worst: US dollars.
            now: seconds, monotonic.
        """
        if self._cap is not None and self._spent + self._reserved + worst > self._cap:
            return None
        self._reserved += worst
        start = max(now, self._next)
        self._next = start + self._gap
        return start - now

    def settle(self, worst: float, cost: float) -> None:
        """See `Warden.settle`."""
        self._reserved -= worst
        self._spent += cost
