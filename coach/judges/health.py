"""For `coach doctor`: what an endpoint turns out to be."""

from __future__ import annotations

from coach.errors import CoachError
from coach.judges.chat import ChatRequest, HealthLine, Message
from coach.judges.endpoint import Endpoint


async def check(endpoint: Endpoint) -> tuple[HealthLine, ...]:
    """Is it there, does it know the model, which structured output does it keep to."""
    try:
        offered = await endpoint.offered()
    except CoachError as error:
        return (HealthLine("endpoint", False, error.message, error.hint),)
    there = HealthLine("endpoint", True, f"{endpoint.identity} answers")
    if offered and endpoint.model not in offered:
        told = f"{endpoint.model} is not among the endpoint's models"
        return there, HealthLine("model", False, told, _choice(offered))
    return there, await _check_output(endpoint)


async def offers(endpoint: Endpoint) -> tuple[HealthLine, ...]:
    """Where no model is named: is it there, and what could be named."""
    try:
        offered = await endpoint.offered()
    except CoachError as error:
        told = error.message.replace(str(endpoint.place), endpoint.identity)
        return (HealthLine("endpoint", False, told, error.hint),)
    there = HealthLine("endpoint", True, f"{endpoint.identity} answers")
    return there, HealthLine("model", False, "no model is named", _choice(offered))


async def _check_output(endpoint: Endpoint) -> HealthLine:
    schema: dict[str, object] = {
        "type": "object",
        "properties": {"ready": {"type": "boolean"}},
        "required": ["ready"],
        "additionalProperties": False,
    }
    ask = Message("user", 'Reply with the JSON object {"ready": true} and nothing else.')
    try:
        reply = await endpoint.complete(ChatRequest((ask,), schema, "ready", max_tokens=500))
    except CoachError as error:
        return HealthLine("structured output", False, error.message, error.hint)
    told = {
        "json_schema": "strict JSON Schema",
        "json_object": "JSON objects, without a schema: replies are checked, and asked for again where needed",
        "text": "plain text only: JSON is looked for in the reply",
    }
    return HealthLine("structured output", True, f"{reply.model}: {told[reply.rung]}")


def _choice(offered: set[str]) -> str:
    shown = f"It offers: {', '.join(sorted(offered)[:8])}. " if offered else ""
    return f"{shown}Name one with --model or COACH_MODEL."
