"""Requests that are answered later: an endpoint that looks for the reply in a box, and puts the request there if there is none.

The judge is run again when replies have come. It asks the same again in the same order, finds what it was told before, and
gets a step further each time. So a judge needs to know nothing of it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, Protocol
from weakref import WeakKeyDictionary

from coach.errors import (
    AnswerPending,
    CoachError,
    CostCapReached,
    JudgeRefused,
    JudgeReplyInvalid,
    JudgeUnavailable,
)
from coach.fingerprints import digest_of
from coach.judges.budget import worst_cost
from coach.judges.chat import ChatReply, ChatRequest, Quirks
from coach.judges.endpoint import Endpoint
from coach.judges.replay import request_key


class Answered(NamedTuple):
    """A reply that came."""

    body: bytes
    """The response's body."""
    quirks: Quirks
    """With which the request was sent."""


class Declined(NamedTuple):
    """A request that got no reply, for good."""

    kind: Literal["unreachable", "refused", "invalid"]
    message: str
    hint: str = ""


class Waiting(NamedTuple):
    """A request that is on its way."""


class Letter(NamedTuple):
    """A request to be sent."""

    key: str
    body: Mapping[str, object]
    quirks: Quirks
    """With which it is put."""
    worst: float
    """US dollars it can cost at most; 0 where the price is unknown."""


class Box(Protocol):
    """Where requests lie until they are answered."""

    def find(self, key: str) -> Answered | Declined | Waiting | None:
        """What became of a request; None where it was never sent, or is to be sent again."""

    def put(self, address: str, letter: Letter) -> bool:
        """Take a request to be sent. False where there is no money for it at present."""

    def paid(self, cost: float) -> None:
        """A call beside the box was paid for."""


_ERRORS: dict[str, Callable[..., CoachError]] = {
    "unreachable": JudgeUnavailable,
    "refused": JudgeRefused,
    "invalid": JudgeReplyInvalid,
}


class DeferredEndpoint:
    """Answers from a box.

    Args:
        endpoint: knows how requests are put and replies read; not asked itself, but for a probe.
        box: where requests and replies lie.
        probe: send the first request to the endpoint at once, so that what it does not take is learned from one refusal
            and not from a whole batch of them.

    Attributes:
        final: nothing is sent any more; what has no reply is an error.
    """

    def __init__(self, endpoint: Endpoint, box: Box, *, probe: bool = False) -> None:
        self.model = endpoint.model
        self.identity = endpoint.identity
        self.endpoint = endpoint
        self.final = False
        self._box = box
        self._probing = asyncio.Lock() if probe else None
        self._asked: WeakKeyDictionary[asyncio.Task[object], Counter[str]] = WeakKeyDictionary()
        self._handed_out: set[str] = set()
        self._short_of_money = False

    @property
    def thinks(self) -> bool:
        """See `ChatEndpoint.thinks`; may be learned at any time, so the room for a reply is no part of a request's key."""
        return self.endpoint.thinks

    @property
    def address(self) -> str:
        """Names endpoint and model: requests to one address can go into one batch."""
        return f"{self.identity} {self.model}"

    async def complete(self, request: ChatRequest, *, on_text: Callable[[str], None] | None = None) -> ChatReply:
        """See `ChatEndpoint.complete`.

        Raises:
            AnswerPending: the request is on its way, or waits for money that others on their way may not need.
            CostCapReached: there is no money for it.
        """
        key = self._key(request)
        found = self._box.find(key)
        if found is None and self._probing is not None and not self.final:
            async with self._probing:
                if self._probing is not None:
                    return await self._probe(request)
        match found:
            case Answered(body, quirks):
                reply = self.endpoint.counted(self.endpoint.read(body, quirks, batch=True), request, batch=True)
                repeated = key in self._handed_out
                self._handed_out.add(key)
                return reply._replace(repeated=repeated)
            case Declined(kind, message, hint):
                raise _ERRORS[kind](message, hint=hint)
            case None if not self.final:
                self._put(key, request)
            case None if self._short_of_money:
                raise CostCapReached("not judged: the cost cap was reached")
        if self.final:
            raise JudgeUnavailable(f"the batch at {self.identity} brought no reply to this request")
        raise AnswerPending("waits for the provider's batch")

    async def aclose(self) -> None:
        """Close the endpoint's connections."""
        await self.endpoint.aclose()

    async def _probe(self, request: ChatRequest) -> ChatReply:
        reply = await self.endpoint.complete(request)
        self._probing = None
        self._box.paid(reply.usage.cost_usd or 0.0)
        return reply

    def _put(self, key: str, request: ChatRequest) -> None:
        price = self.endpoint.price
        worst = worst_cost(request, price, batch=True) if price else 0.0
        letter = Letter(key, self.endpoint.body(request), self.endpoint.quirks, worst)
        if not self._box.put(self.address, letter):
            self._short_of_money = True

    def _key(self, request: ChatRequest) -> str:
        """Names request and model, and how often this task has asked just that before: asked again, it is another request."""
        named = request_key(request._replace(max_tokens=0), self.model)
        task = asyncio.current_task()
        if task is None:
            return digest_of([self.identity, named, 0])
        before = self._asked.setdefault(task, Counter())
        before[named] += 1
        return digest_of([self.identity, named, before[named] - 1])
