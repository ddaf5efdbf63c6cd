"""What a response's body means: the reply in it, what it used, what that costs. Nothing is sent here.

A body looks like
    {"model": "m", "choices": [{"message": {"content": "{}"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 9}}
Read here and not by the SDK's models: those cost a millisecond, and pass broken shapes on unchecked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from coach.errors import JudgeError, JudgeReplyInvalid, JudgeUnavailable
from coach.judgement import Usage
from coach.judges.chat import ChatReply, ChatRequest, Finish, Rung
from coach.judges.faults import Place, refusal
from coach.pricing import Price, cost_of, estimated

_FINISH: dict[str, Finish] = {"stop": "stop", "length": "length", "content_filter": "content_filter"}


_MOST_TOKENS = 1_000_000_000
"""A reply that tells of more counts nothing."""


class _Counts(NamedTuple):
    prompt: int
    cached: int
    completion: int
    reasoning: int


def read(content: bytes, rung: Rung, place: Place, *, price: Price | None, batch: bool = False) -> ChatReply:
    """The reply that a response holds.

    Args:
        content: the response's body.
        rung: on which the request was sent.
        place: whose response it is.
        price: the model's, where it is known.
        batch: it came by the provider's Batch API, which has prices of its own.

    Raises:
        JudgeUnavailable: it is cut off, or a status says to come back later.
        JudgeRefused: a status within says no.
        JudgeReplyInvalid: it is malformed.
    """
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise JudgeUnavailable(f"{place} sent a response that is cut off or no JSON") from None
    return reply_in(body, rung, place, price=price, batch=batch)


def reply_in(body: object, rung: Rung, place: Place, *, price: Price | None, batch: bool = False) -> ChatReply:
    """The reply in a body that was parsed already; else see `read`."""
    usage = _usage(body, price, batch=batch)
    match body:
        case {"choices": [{"message": dict() as message, **choice}, *_]}:
            pass
        case _:
            fault = _malformed(body, place)
            fault.usage = usage if _is_counted(usage) else None
            raise fault
    text, no = message.get("content"), message.get("refusal")
    finish = _FINISH.get(str(choice.get("finish_reason")), "stop")
    refused = no if isinstance(no, str) and no.strip() else None
    named = body.get("model") if isinstance(body, dict) else None
    return ChatReply(
        text=text if isinstance(text, str) else "",
        finish="refusal" if refused else finish,
        refusal=refused,
        usage=usage,
        rung=rung,
        model=named if isinstance(named, str) and named else place.model,
        thought=usage.reasoning_tokens > 0 or _thought(message, finish),
    )


def usage_in(content: bytes, *, price: Price | None, batch: bool = False) -> Usage | None:
    """What a response says it used, whatever else it holds; None where it does not say."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return None
    usage = _usage(body, price, batch=batch)
    return usage if _is_counted(usage) else None


def counted(reply: ChatReply, request: ChatRequest, *, price: Price | None, batch: bool = False) -> ChatReply:
    """A reply with its tokens and money, estimated where the endpoint did not count."""
    if _is_counted(reply.usage):
        return reply
    usage = estimated(reply.usage, sum(len(m.content) for m in request.messages))
    return reply._replace(usage=usage.model_copy(update={"cost_usd": cost_of(usage, price, batch=batch)}))


def _malformed(body: object, place: Place) -> JudgeError:
    """A response without a completion; gateways put the status of the server behind them into one of their own."""
    match body:
        case {"error": {"code": int(status), **rest}} if 400 <= status < 600:
            return refusal(status, str(rest.get("message", "no reason given")), place)
        case {"error": error}:
            told = error.get("message", error) if isinstance(error, dict) else error
            return JudgeReplyInvalid(f"{place} answered with an error: {place.quoted(str(told))}")
        case _:
            return JudgeReplyInvalid(f"{place} sent a response without choices")


def _usage(body: object, price: Price | None, *, batch: bool) -> Usage:
    told = body.get("usage") if isinstance(body, dict) else None
    counts = _counts(told if isinstance(told, dict) else {})
    usage = Usage(
        calls=1,
        prompt_tokens=counts.prompt,
        cached_tokens=counts.cached,
        completion_tokens=counts.completion,
        reasoning_tokens=counts.reasoning,
    )
    return usage.model_copy(update={"cost_usd": cost_of(usage, price, batch=batch)})


def _is_counted(usage: Usage) -> bool:
    return bool(usage.prompt_tokens or usage.completion_tokens)


def _counts(told: Mapping[str, Any]) -> _Counts:
    """Token counts under the names different servers give them; what is missing or odd counts as 0."""

    def number(*path: str) -> int:
        value: Any = told
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return value if isinstance(value, int) and 0 < value <= _MOST_TOKENS else 0

    prompt = number("prompt_tokens")
    cached = number("prompt_tokens_details", "cached_tokens") or number("prompt_cache_hit_tokens")
    reasoning = number("completion_tokens_details", "reasoning_tokens")
    return _Counts(prompt, min(cached, prompt), number("completion_tokens"), reasoning)


def _thought(message: Mapping[str, Any], finish: Finish) -> bool:
    """Whether a reply shows that its model thinks: under the names servers give it, in the text, or for want of any text."""
    text = message.get("content")
    said = text.strip() if isinstance(text, str) else ""
    aside = message.get("reasoning_content") or message.get("reasoning")
    return bool(aside) or said.startswith("<think") or (finish == "length" and not said)
