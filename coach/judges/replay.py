"""Recorded replies in place of an endpoint: the LLM judge runs as it is, and no model is asked.

One record a line:
    {"key": "5f1c…", "model": "SmolLM2-135M-Instruct", "recorded_at": "2026-11-24", "reply": {"text": "…", "finish": "stop"}}
The key is a digest of all that was sent; another prompt, model or parameter finds no record, and says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from coach.errors import InputError, JudgeUnavailable
from coach.fingerprints import digest_of
from coach.judges.chat import ChatEndpoint, ChatReply, ChatRequest
from coach.judges.llm import LLMJudge
from coach.models import Usage
from coach.report import JudgeKind


def request_key(request: ChatRequest, model: str) -> str:
    """Digest of messages, schema, parameters and model."""
    return digest_of([model, request._asdict()])


class RecordingEndpoint:
    """Passes calls on and writes down what came back.

    Args:
        endpoint: the real one.
        path: JSONL file; records are appended.
    """

    thinks = False
    """Whatever is learned while recording: requests must stay what a replay will ask for."""

    def __init__(self, endpoint: ChatEndpoint, path: Path) -> None:
        self._endpoint = endpoint
        self._path = path
        self.model = endpoint.model
        self.identity = endpoint.identity

    async def complete(self, request: ChatRequest, *, on_text: Callable[[str], None] | None = None) -> ChatReply:
        """See `ChatEndpoint.complete`."""
        reply = await self._endpoint.complete(request, on_text=on_text)
        record = {
            "key": request_key(request, self.model),
            "model": reply.model,
            "asked_as": self.model,
            "recorded_at": datetime.now(UTC).date().isoformat(),
            "reply": {**reply._asdict(), "usage": reply.usage.model_dump()},
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
        return reply

    async def aclose(self) -> None:
        """Close the real endpoint."""
        await self._endpoint.aclose()


class ReplayEndpoint:
    """Answers from records.

    Args:
        path: JSONL file written by `RecordingEndpoint`.

    Raises:
        InputError: the file cannot be read, or holds no records.
    """

    identity = "replay"
    thinks = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self._records = _read(path)
        self.model = str(next(iter(self._records.values()))["asked_as"])
        self.recorded_model = str(next(iter(self._records.values()))["model"])

    async def complete(self, request: ChatRequest, *, on_text: Callable[[str], None] | None = None) -> ChatReply:
        """The recorded reply to this very request.

        Raises:
            JudgeUnavailable: nothing was recorded for it.
        """
        record = self._records.get(request_key(request, self.model))
        if record is None:
            raise JudgeUnavailable(
                f"no reply is recorded in {self._path.name} for this prompt, question and answer",
                hint="Prompts or rubric have changed since, or this answer was never recorded. Record it anew.",
            )
        reply = ChatReply(**{**record["reply"], "usage": Usage(**record["reply"]["usage"])})
        if on_text:
            on_text(reply.text)
        return reply

    async def aclose(self) -> None:
        """Nothing is open."""


class ReplayJudge(LLMJudge):
    """The LLM judge over recorded replies."""

    kind: JudgeKind = "replay"
    name = "replay"

    def __init__(self, path: Path) -> None:
        self._replay = ReplayEndpoint(path)
        super().__init__(self._replay)

    @property
    def model(self) -> str:
        """The model that gave the recorded replies."""
        return self._replay.recorded_model


def _read(path: Path) -> dict[str, dict[str, Any]]:
    records: dict[str, dict[str, Any]] = {}
    try:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                record = json.loads(line)
                records[record["key"]] = record
            except (ValueError, KeyError, TypeError):
                raise InputError(f"{path}: line {number} is no record of a reply", hint="Record it anew.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", hint="Check --replay-file.") from None
    if not records:
        raise InputError(f"{path} holds no recorded replies", hint="Record some first.")
    return records
