"""A streamed completion put together again. Every line may hold anything: what does not fit is passed over, never guessed."""

from __future__ import annotations

import json
from typing import Any


class StreamedReply:
    """What has come of one reply so far, as the body it would have had unstreamed."""

    def __init__(self) -> None:
        self.text = ""
        self.error: object = None
        self._refusal = ""
        self._thought = ""
        self._finish: str | None = None
        self._usage: dict[str, Any] = {}
        self._model: str | None = None

    def feed(self, line: str) -> bool:
        """Take in one line of the event stream; whether it brought more text."""
        if not line.startswith("data:"):
            return False
        try:
            event = json.loads(line.removeprefix("data:"))
        except (ValueError, RecursionError):
            return False
        if not isinstance(event, dict):
            return False
        self.error = event.get("error") or self.error
        if isinstance(event.get("usage"), dict):
            self._usage = event["usage"]
        if isinstance(event.get("model"), str):
            self._model = event["model"]
        match event.get("choices"):
            case [dict() as choice, *_]:
                return self._choice(choice)
            case _:
                return False

    def _choice(self, choice: dict[str, Any]) -> bool:
        if isinstance(choice.get("finish_reason"), str):
            self._finish = choice["finish_reason"]
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return False
        if isinstance(delta.get("refusal"), str):
            self._refusal += delta["refusal"]
        aside = delta.get("reasoning_content") or delta.get("reasoning")
        self._thought += aside if isinstance(aside, str) else ""
        more = delta.get("content")
        if not isinstance(more, str) or not more:
            return False
        self.text += more
        return True

    def body(self) -> dict[str, Any] | None:
        """The whole response; None while no finish has come, since a stream may break off at any line."""
        if self.error:
            return {"error": self.error}
        if self._finish is None:
            return None
        message = {"content": self.text, "refusal": self._refusal or None, "reasoning": self._thought}
        choice = {"finish_reason": self._finish, "message": message}
        return {"model": self._model, "usage": self._usage, "choices": [choice]}
