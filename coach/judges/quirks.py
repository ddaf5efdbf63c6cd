"""What endpoints refuse, learned from how they refuse it and remembered per endpoint and model; requests put accordingly."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from coach.fingerprints import digest
from coach.judges.chat import RUNGS, ChatRequest, Quirks

KEEP_SECONDS = 7 * 24 * 3600
"""Notes older than a week are dropped: servers are updated."""
LEARNING_STATUSES = frozenset({400, 404, 405, 415, 422, 500, 501})
"""Statuses with which servers turn down a parameter they do not know; 500 is llama.cpp's for a grammar it cannot build."""

_FORMAT_WORDS = (
    "response_format",
    "json_schema",
    "json_object",
    "structured output",
    "grammar",
    "guided",
    "schema",
    "json mode",
)


def body_of(request: ChatRequest, quirks: Quirks, model: str) -> dict[str, object]:
    """A request as JSON, put as an endpoint with these quirks takes it."""
    body: dict[str, object] = {
        "model": model,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        quirks.token_limit: request.max_tokens,
    }
    if quirks.rung == "json_schema":
        schema = {"name": request.schema_name, "strict": True, "schema": request.schema}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif quirks.rung == "json_object":
        body["response_format"] = {"type": "json_object"}
    if request.temperature is not None and quirks.temperature:
        body["temperature"] = request.temperature
    if request.seed is not None and quirks.seed:
        body["seed"] = request.seed
    return body


def learn(quirks: Quirks, status: int, message: str) -> Quirks | None:
    """The next thing to try after a refusal, or None where the refusal is about something else.

    Args:
        quirks: what was assumed when the request was refused.
        status: HTTP status.
        message: the server's words, with the name of the parameter if it gave one.
    """
    if status not in LEARNING_STATUSES:
        return None
    return _lesson(quirks, message.lower())


def _lesson(quirks: Quirks, said: str) -> Quirks | None:
    if "max_completion_tokens" in said or "max_tokens" in said:
        return _other_limit(quirks, said)
    if "stream_options" in said and quirks.stream_usage:
        return quirks.model_copy(update={"stream_usage": False})
    if "temperature" in said and quirks.temperature:
        return quirks.model_copy(update={"temperature": False})
    if any(word in said for word in _FORMAT_WORDS):
        return step_down(quirks)
    if "seed" in said.replace("'", " ").split() and quirks.seed:
        return quirks.model_copy(update={"seed": False})
    return None


def _other_limit(quirks: Quirks, said: str) -> Quirks | None:
    """`max_tokens` refused in favour of `max_completion_tokens`, or the other way round."""
    if quirks.token_limit == "max_tokens" and "max_completion_tokens" in said:
        return quirks.model_copy(update={"token_limit": "max_completion_tokens"})
    if quirks.token_limit == "max_completion_tokens" and (
        "unknown" in said or "unrecognized" in said or "extra" in said
    ):
        return quirks.model_copy(update={"token_limit": "max_tokens"})
    return None


def step_down(quirks: Quirks) -> Quirks | None:
    """One rung down the ladder of structured output; None at the bottom."""
    below = RUNGS.index(quirks.rung) + 1
    return quirks.model_copy(update={"rung": RUNGS[below]}) if below < len(RUNGS) else None


class QuirkNotes:
    """Notes on endpoints, kept in the cache folder; a folder that cannot be written only costs the asking again.

    Args:
        cache_dir: None keeps notes for this process only.
    """

    def __init__(self, cache_dir: Path | None, *, base_url: str, model: str) -> None:
        self._path = cache_dir / "endpoints" / f"{digest(base_url + chr(0) + model)}.json" if cache_dir else None
        self._fallback = Quirks(token_limit="max_completion_tokens" if "api.openai.com" in base_url else "max_tokens")

    def read(self) -> Quirks:
        """What is known; the common assumptions where nothing is, or the note is old or damaged."""
        if self._path is None:
            return self._fallback
        try:
            note = json.loads(self._path.read_text(encoding="utf-8"))
            if time.time() - float(note["at"]) > KEEP_SECONDS:
                return self._fallback
            return Quirks.model_validate(note["quirks"])
        except (OSError, ValueError, KeyError, TypeError, ValidationError):
            return self._fallback

    def write(self, quirks: Quirks) -> None:
        """Remember."""
        if self._path is None:
            return
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps({"at": time.time(), "quirks": quirks.model_dump()}), encoding="utf-8")
            temporary.replace(self._path)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
