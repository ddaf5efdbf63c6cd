import asyncio
from collections.abc import Coroutine
from contextlib import suppress

import pytest

from coach.errors import CostCapReached
from coach.judgement import Usage
from coach.judges.budget import Budget, booked
from coach.pricing import Price

PRICE = Price(prompt=1.0, cached=0.5, completion=2.0, batch=0.5)


def test_a_call_counts_as_what_its_tokens_cost() -> None:
    assert booked(Usage(calls=1, prompt_tokens=1_000_000, completion_tokens=1_000_000), PRICE, 9.0) == 3.0


def test_a_call_whose_tokens_are_estimated_counts_as_the_worst() -> None:
    usage = Usage(calls=1, prompt_tokens=10, completion_tokens=10, estimated_calls=1)
    assert booked(usage, PRICE, 9.0) == 9.0


def test_a_call_whose_tokens_nobody_counted_counts_as_the_worst() -> None:
    assert booked(Usage(calls=1), PRICE, 9.0) == 9.0


def test_a_call_that_was_not_paid_for_counts_nothing() -> None:
    assert booked(None, PRICE, 9.0) == 0.0


async def begun(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
    """A task that has come to where it waits."""
    task = asyncio.create_task(work)
    await asyncio.sleep(0)
    return task


def test_a_call_waits_for_money_that_others_may_not_need() -> None:
    async def go() -> tuple[bool, bool]:
        budget = Budget(1.0)
        await budget.reserve(0.8)
        second = await begun(budget.reserve(0.8))
        waited = not second.done()
        budget.settle(0.8, 0.1)
        await second
        return waited, budget.spent + budget.reserved <= 1.0

    assert asyncio.run(go()) == (True, True)


def test_a_call_too_dear_for_what_is_left_waits_for_nobody() -> None:
    async def go() -> None:
        budget = Budget(1.0)
        await budget.reserve(0.1)
        await budget.reserve(0.1)
        budget.settle(0.1, 0.5)
        await budget.reserve(0.8)

    with pytest.raises(CostCapReached, match=r"\$0\.5000 spent, the next call could cost \$0\.8000"):
        asyncio.run(asyncio.wait_for(go(), 5))


def test_a_call_that_waits_is_refused_once_the_others_have_cost_too_much() -> None:
    async def go() -> None:
        budget = Budget(1.0)
        await budget.reserve(0.8)
        second = await begun(budget.reserve(0.8))
        budget.settle(0.8, 0.5)
        await second

    with pytest.raises(CostCapReached):
        asyncio.run(asyncio.wait_for(go(), 5))


def test_who_asked_first_is_served_first() -> None:
    async def go() -> tuple[bool, bool]:
        budget = Budget(1.0)
        await budget.reserve(0.5)
        dear, cheap = await begun(budget.reserve(0.9)), await begun(budget.reserve(0.1))
        waited = not cheap.done()
        budget.settle(0.5, 0.0)
        await asyncio.gather(dear, cheap)
        return waited, dear.done()

    assert asyncio.run(go()) == (True, True)


def test_a_call_that_is_cancelled_while_it_waits_holds_up_nobody() -> None:
    async def go() -> None:
        budget = Budget(1.0)
        await budget.reserve(0.8)
        second, third = await begun(budget.reserve(0.9)), await begun(budget.reserve(0.7))
        second.cancel()
        await asyncio.sleep(0)
        budget.settle(0.8, 0.1)
        await third

    asyncio.run(asyncio.wait_for(go(), 5))


def test_a_call_that_is_cancelled_as_it_is_served_gives_its_money_back() -> None:
    async def go() -> float:
        budget = Budget(1.0)
        await budget.reserve(0.8)
        second = await begun(budget.reserve(0.8))
        budget.settle(0.8, 0.1)
        second.cancel()
        with suppress(asyncio.CancelledError):
            await second
        return budget.reserved

    assert asyncio.run(go()) == 0.0


def test_no_remainder_of_a_sum_stays_set_aside() -> None:
    async def go() -> float:
        budget = Budget(1.0)
        for worst in (0.1, 0.2, 0.3):
            await budget.reserve(worst)
        for worst in (0.1, 0.2, 0.3):
            budget.settle(worst, 0.0)
        return budget.reserved

    assert asyncio.run(go()) == 0.0
