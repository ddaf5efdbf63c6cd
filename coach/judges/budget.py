"""A hard stop on money: no call starts that could pass the cap."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from coach.errors import CoachError, CostCapReached, InputError
from coach.judgement import Usage
from coach.judges.chat import Around, ChatEndpoint, ChatReply, ChatRequest
from coach.pricing import Price, cost_of

BYTES_PER_TOKEN = 3.0
"""English prose has about four bytes a token, other scripts about three; the estimate errs on the dear side."""


class _Waiting(NamedTuple):
    """A call that asks for money."""

    worst: float
    turn: asyncio.Future[None]


class Budget:
    """What one run may spend, over all its judges.

    Args:
        max_cost: US dollars.

    Attributes:
        spent: by calls that are over.
        reserved: by calls under way, at their worst.
    """

    def __init__(self, max_cost: float) -> None:
        self.cap = max_cost
        self.spent = self.reserved = 0.0
        self._under_way = 0
        self._queue: deque[_Waiting] = deque()

    async def reserve(self, worst: float) -> None:
        """Set the worst price of a call aside.

        Calls under way mostly come to less than they have set aside. One that only they leave no money for waits for them;
        first come, first served, so that what was begun first is finished first.

        Raises:
            CostCapReached: this call could pass the cap, whatever the others come to.
        """
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(worst, turn))
        self._serve()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.exception() is None:
                self.settle(worst, 0.0)
            raise

    def settle(self, worst: float, cost: float) -> None:
        """What was set aside is free again, and so much was paid."""
        self._under_way -= 1
        # Sums of fractions leave a remainder, for which nobody would ever be served.
        self.reserved = self.reserved - worst if self._under_way else 0.0
        self.spent += cost
        self._serve()

    def _serve(self) -> None:
        """Answer those that wait, up to the first that has to go on waiting."""
        while self._queue:
            worst, turn = self._queue[0]
            if not turn.done():
                if self.spent + worst > self.cap:
                    turn.set_exception(self._reached(worst))
                elif self.spent + self.reserved + worst > self.cap:
                    return
                else:
                    self._under_way += 1
                    self.reserved += worst
                    turn.set_result(None)
            self._queue.popleft()

    def _reached(self, worst: float) -> CostCapReached:
        spent = f"${self.spent:.4f} spent, the next call could cost ${worst:.4f}"
        return CostCapReached(f"the cost cap of ${self.cap:g} is reached: {spent}")


class BudgetedEndpoint(Around):
    """Passes calls on while they fit into what is left.

    The worst a call can cost, its prompt and a reply of full length, is set aside before it starts and given back when
    its true price is known, so calls that run at once cannot pass the cap together; see `Budget.reserve`.

    Args:
        endpoint: the real one.
        budget: shared by all judges of a run.
        price: of the endpoint's model.

    Raises:
        InputError: the model has no price, so a cap could not be kept.
    """

    def __init__(self, endpoint: ChatEndpoint, *, budget: Budget, price: Price | None) -> None:
        super().__init__(endpoint)
        self._price = required_price(endpoint.model, price)
        self._budget = budget

    async def complete(self, request: ChatRequest, *, on_text: Callable[[str], None] | None = None) -> ChatReply:
        """See `ChatEndpoint.complete`.

        Raises:
            CostCapReached: this call could pass the cap.
        """
        worst = worst_cost(request, self._price)
        await self._budget.reserve(worst)
        cost = 0.0
        try:
            reply = await self._endpoint.complete(request, on_text=on_text)
            cost = booked(reply.usage, self._price, worst)
            return reply
        except CoachError as error:
            cost = booked(error.usage, self._price, worst)
            raise
        finally:
            self._budget.settle(worst, cost)


def booked(usage: Usage | None, price: Price | None, worst: float) -> float:
    """US dollars that a call counts as. A server that does not count its tokens has not worked for nothing.

    Args:
        usage: what it used; None where nothing was paid for.
        price: of the model.
        worst: what it can have cost at most.
    """
    if usage is None:
        return 0.0
    counted = (usage.prompt_tokens or usage.completion_tokens) and not usage.estimated_calls
    return (cost_of(usage, price) or 0.0) if counted else worst


def worst_cost(request: ChatRequest, price: Price, *, batch: bool = False) -> float:
    """US dollars that a call can cost at most, if its reply takes all the room it has."""
    sent = "".join(m.content for m in request.messages) + json.dumps(request.schema)
    prompt = round(len(sent.encode("utf-8", "replace")) / BYTES_PER_TOKEN)
    return cost_of(Usage(prompt_tokens=prompt, completion_tokens=request.max_tokens), price, batch=batch) or 0.0


def required_price(model: str, price: Price | None) -> Price:
    """The price that a cap is kept with.

    Raises:
        InputError: the model has no price, so a cap could not be kept.
    """
    if price is None:
        raise InputError(
            f"--max-cost cannot be kept: no price is known for the model {model!r}",
            hint="Name its price in a file of your own, see rubrics/prices.yaml, and set COACH_PRICES to it.",
        )
    return price
