"""A hard stop on money: no call starts that could pass the cap."""

from __future__ import annotations

from collections.abc import Callable

from coach.errors import CostCapReached, InputError
from coach.judges.chat import ChatEndpoint, ChatReply, ChatRequest
from coach.models import Usage
from coach.pricing import Price, cost_of

CHARS_PER_TOKEN = 3.0
"""English prose has about four characters a token; fewer are assumed, so that the estimate errs on the dear side."""


class BudgetedEndpoint:
    """Passes calls on while they fit into what is left.

    The worst a call can cost, its prompt and a reply of full length, is set aside before it starts and given back when
    its true price is known, so calls that run at once cannot pass the cap together.

    Args:
        endpoint: the real one.
        max_cost: US dollars.
        price: of the endpoint's model.

    Raises:
        InputError: the model has no price, so a cap could not be kept.
    """

    def __init__(self, endpoint: ChatEndpoint, *, max_cost: float, price: Price | None) -> None:
        self._endpoint = endpoint
        self._price = required_price(endpoint.model, price)
        self._cap = max_cost
        self.spent = 0.0
        self._reserved = 0.0
        self.model = endpoint.model
        self.identity = endpoint.identity

    async def complete(self, request: ChatRequest, *, on_text: Callable[[str], None] | None = None) -> ChatReply:
        """See `ChatEndpoint.complete`.

        Raises:
            CostCapReached: this call could pass the cap.
        """
        worst = worst_cost(request, self._price)
        if self.spent + self._reserved + worst > self._cap:
            raise CostCapReached(
                f"the cost cap of ${self._cap:g} is reached: ${self.spent:.4f} spent, the next call could cost ${worst:.4f}"
            )
        self._reserved += worst
        try:
            reply = await self._endpoint.complete(request, on_text=on_text)
        finally:
            self._reserved -= worst
        self.spent += cost_of(reply.usage, self._price) or 0.0
        return reply

    async def aclose(self) -> None:
        """Close the real endpoint."""
        await self._endpoint.aclose()


def worst_cost(request: ChatRequest, price: Price, *, batch: bool = False) -> float:
    """US dollars that a call can cost at most, if its reply takes all the room it has."""
    prompt = round(sum(len(m.content) for m in request.messages) / CHARS_PER_TOKEN)
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
