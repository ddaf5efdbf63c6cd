from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

import pytest
from servers.scripted import said, scripted

from coach.errors import CostCapReached
from coach.flow import time_limit
from coach.judgement import Usage
from coach.judges.chat import ChatReply, ChatRequest, Message
from coach.judges.endpoint import Endpoint
from coach.judges.paced import FIRST_LOOK, PATIENCE, PacedEndpoint, Purse
from coach.pricing import Price

REQUEST = ChatRequest((Message("user", "x" * 300),), {"type": "object"}, "reply", max_tokens=100)
DEAR = Price(prompt=0, completion=1000.0)
"""A reply of 100 tokens costs at most a tenth of a dollar."""


class Local:
    """A purse as a warden."""

    def __init__(self, purse: Purse) -> None:
        self.purse = purse

    async def reserve(self, worst: float) -> float | None:
        return self.purse.reserve(worst, now=0.0)

    async def settle(self, worst: float, cost: float) -> None:
        self.purse.settle(worst, cost)


def test_calls_are_spread_evenly() -> None:
    purse = Purse(per_minute=120, max_cost=None)
    assert [purse.reserve(0.0, now=10.0) for _ in range(3)] == [0.0, 0.5, 1.0]
    assert purse.reserve(0.0, now=60.0) == 0.0


def test_money_set_aside_is_free_again_when_less_was_paid() -> None:
    purse = Purse(per_minute=None, max_cost=1.0)
    assert purse.reserve(0.8, now=0.0) == 0.0
    assert purse.reserve(0.8, now=0.0) == math.inf
    purse.settle(0.8, 0.1)
    assert purse.reserve(0.8, now=0.0) == 0.0


def test_money_that_is_spent_is_waited_for_by_nobody() -> None:
    purse = Purse(per_minute=None, max_cost=1.0)
    for _ in range(2):
        purse.reserve(0.4, now=0.0)
    purse.settle(0.4, 0.4)
    assert purse.reserve(0.8, now=0.0) is None


def test_money_set_aside_by_a_machine_that_is_gone_is_not_waited_for_for_ever() -> None:
    purse = Purse(per_minute=None, max_cost=1.0)
    purse.reserve(0.8, now=0.0)
    assert purse.reserve(0.8, now=PATIENCE) is None


def test_a_call_asks_again_for_money_that_others_have_set_aside() -> None:
    purse = Purse(per_minute=None, max_cost=0.12)
    purse.reserve(0.1, now=0.0)
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            purse.settle(0.1, 0.0)

    async def go(base_url: str) -> str:
        endpoint = Endpoint(model="m", base_url=base_url, prices={"m": DEAR})
        paced = PacedEndpoint(endpoint, Local(purse), sleep=sleep)
        reply = await paced.complete(REQUEST)
        await paced.aclose()
        return reply.text

    with scripted([said("{}", completion_tokens=50)]) as server:
        assert asyncio.run(go(server.base_url)) == "{}"
    assert waits == [FIRST_LOOK, 2 * FIRST_LOOK, 4 * FIRST_LOOK, 0.0]


def test_a_call_waits_for_its_turn_and_says_what_it_cost() -> None:
    purse = Purse(per_minute=60, max_cost=0.12)
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def go(base_url: str) -> list[Any]:
        endpoint = Endpoint(model="m", base_url=base_url, prices={"m": DEAR})
        paced = PacedEndpoint(endpoint, Local(purse), sleep=sleep)
        first = await paced.complete(REQUEST)
        with pytest.raises(CostCapReached):
            await paced.complete(REQUEST)
        await paced.aclose()
        return [first.text, waits]

    with scripted([said("{}", completion_tokens=50)]) as server:
        assert asyncio.run(go(server.base_url)) == ["{}", [0.0]]
        assert len(server.requests) == 1


class Prompt(Endpoint):
    """Answers at once."""

    async def complete(self, request: ChatRequest, *, on_text: Callable[[str], None] | None = None) -> ChatReply:
        return ChatReply("{}", "stop", None, Usage(), "text", self.model)


def test_the_wait_for_its_turn_is_no_time_that_a_row_may_not_take() -> None:
    purse = Purse(per_minute=60 / 0.7, max_cost=None)
    paced = PacedEndpoint(Prompt(model="m"), Local(purse))

    async def go() -> list[str]:
        async with time_limit(0.5):
            return [reply.text for reply in await asyncio.gather(paced.complete(REQUEST), paced.complete(REQUEST))]

    assert asyncio.run(go()) == ["{}", "{}"]
