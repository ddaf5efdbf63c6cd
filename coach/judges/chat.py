"""Plain types of a chat with an LLM endpoint; nothing here knows any SDK."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol

from coach.judgement import Usage
from coach.models import Frozen

Rung = Literal["json_schema", "json_object", "text"]
RUNGS: tuple[Rung, ...] = ("json_schema", "json_object", "text")
"""Ways to ask for structured output, strictest first; an endpoint that refuses one is asked by the next."""

Finish = Literal["stop", "length", "refusal", "content_filter"]
TokenLimit = Literal["max_completion_tokens", "max_tokens"]


class Message(NamedTuple):
    """One message of the conversation sent."""

    role: Literal["system", "user"]
    content: str


class ChatRequest(NamedTuple):
    """What is asked of the endpoint, before its quirks are minded."""

    messages: tuple[Message, ...]
    schema: dict[str, object]
    """Strict JSON Schema of the reply."""
    schema_name: str
    max_tokens: int
    temperature: float | None = 0.0
    seed: int | None = None


class ChatReply(NamedTuple):
    """What came back. `finish` is `length` where the reply was cut off for want of room."""

    text: str
    finish: Finish
    refusal: str | None
    usage: Usage
    rung: Rung
    model: str
    """The model as the endpoint names it."""
    thought: bool = False
    """Whether the model thought before it answered."""
    repeated: bool = False
    """Whether this very reply was handed out before, to the same judge; it says nothing new about the endpoint."""


class Quirks(Frozen):
    """What an endpoint and model turned out to accept."""

    rung: Rung = "json_schema"
    token_limit: TokenLimit = "max_tokens"
    temperature: bool = True
    seed: bool = True
    stream_usage: bool = True
    thinks: bool = False
    """Whether the model thinks before it answers, and needs room for that."""


class HealthLine(NamedTuple):
    """One finding about an endpoint."""

    name: str
    ok: bool
    found: str
    mend: str = ""


class ChatEndpoint(Protocol):
    """Anything that answers a `ChatRequest`."""

    @property
    def model(self) -> str:
        """The model that is asked for."""

    @property
    def identity(self) -> str:
        """Where requests go; enters the fingerprint."""

    @property
    def thinks(self) -> bool:
        """Whether the model is known to think before it answers, out of the room for the reply."""

    async def complete(self, request: ChatRequest, *, on_text: Callable[[str], None] | None = None) -> ChatReply:
        """One reply.

        Raises:
            JudgeUnavailable: not reached within the configured tries.
            JudgeRefused: bad key, model or request.
            JudgeReplyInvalid: an empty or malformed response.
        """

    async def aclose(self) -> None:
        """Close all connections."""


class Around:
    """An endpoint around another one: its model and place, with calls passed on in a way of its own.

    Args:
        endpoint: the real one.
    """

    def __init__(self, endpoint: ChatEndpoint) -> None:
        self._endpoint = endpoint
        self.model = endpoint.model
        self.identity = endpoint.identity

    @property
    def thinks(self) -> bool:
        """See `ChatEndpoint.thinks`."""
        return self._endpoint.thinks

    async def aclose(self) -> None:
        """Close the real endpoint."""
        await self._endpoint.aclose()


class Nowhere:
    """An endpoint that is never called: for showing what would be sent."""

    identity = "nowhere"
    thinks = False

    def __init__(self, model: str) -> None:
        self.model = model

    async def complete(self, request: ChatRequest, *, on_text: Callable[[str], None] | None = None) -> ChatReply:
        """Always an error."""
        raise AssertionError("nothing is to be sent")

    async def aclose(self) -> None:
        """Nothing is open."""
