"""Recorded replies in place of an endpoint: the LLM judge runs as it is, and no model is asked.

One record a line:
    {"key": "5f1c…", "prompt": "a90e…", "model": "SmolLM2-135M-Instruct", "recorded_at": "2026-11-24",
     "judge": {"max_tokens": 300, …}, "reply": {"text": "…", "finish": "stop", …}}
The key is a digest of all that was sent; another prompt, model or parameter finds no record, and says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ValidationError

from coach.errors import InputError, JudgeUnavailable
from coach.files import numbered_lines
from coach.fingerprints import digest_of
from coach.judges.chat import ChatEndpoint, ChatReply, ChatRequest
from coach.judges.llm import MAX_TOKENS, REPAIR_CALLS, LLMJudge
from coach.models import Frozen
from coach.prompting import prompt_fingerprint
from coach.report import JudgeKind


def request_key(request: ChatRequest, model: str) -> str:
    """Digest of messages, schema, parameters and model."""
    return digest_of([model, request._asdict()])


class JudgeParameters(Frozen):
    """How the judge asked whose replies are recorded: a replay must ask the same way."""

    repair_calls: int = REPAIR_CALLS
    max_tokens: int = MAX_TOKENS
    temperature: float | None = 0.0
    seed: int | None = 7
    per_call: int = 0


class _Record(BaseModel):
    """A line of a file of records."""

    key: str
    asked_as: str
    model: str
    reply: ChatReply
    prompt: str = ""
    recorded_at: str = ""
    judge: JudgeParameters = JudgeParameters()


class RecordingEndpoint:
    """Passes calls on and writes down what came back.

    Args:
        endpoint: the real one.
        path: JSONL file; records are appended, and of two for the same request the later one counts.
        parameters: those of the judge that asks.

    Raises:
        InputError: the file cannot be written; told before anything is asked.
    """

    thinks = False
    """Whatever is learned while recording: requests must stay what a replay will ask for."""

    def __init__(self, endpoint: ChatEndpoint, path: Path, parameters: JudgeParameters | None = None) -> None:
        self._endpoint = endpoint
        self._path = path
        self._constant = {
            "prompt": prompt_fingerprint(),
            "asked_as": endpoint.model,
            "judge": (parameters or JudgeParameters()).model_dump(),
        }
        self._append("")
        self.model = endpoint.model
        self.identity = endpoint.identity

    async def complete(self, request: ChatRequest, *, on_text: Callable[[str], None] | None = None) -> ChatReply:
        """See `ChatEndpoint.complete`."""
        reply = await self._endpoint.complete(request, on_text=on_text)
        record = {
            "key": request_key(request, self.model),
            "model": reply.model,
            **self._constant,
            "recorded_at": datetime.now(UTC).date().isoformat(),
            "reply": {**reply._asdict(), "usage": reply.usage.model_dump()},
        }
        self._append(json.dumps(record, ensure_ascii=False) + "\n")
        return reply

    def _append(self, text: str) -> None:
        try:
            with self._path.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        except OSError as error:
            raise InputError(
                f"{self._path} cannot be written: {error.strerror or error}",
                hint="Choose a folder that exists and is writable.",
            ) from None

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
        last = list(self._records.values())[-1]
        self.model = last.asked_as
        self.recorded_model = last.model
        self.recorded_at = last.recorded_at
        self.parameters = last.judge
        self._prompt = last.prompt

    async def complete(self, request: ChatRequest, *, on_text: Callable[[str], None] | None = None) -> ChatReply:
        """The recorded reply to this very request.

        Raises:
            JudgeUnavailable: nothing was recorded for it.
        """
        record = self._records.get(request_key(request, self.model))
        if record is None:
            raise self._missing()
        if on_text:
            on_text(record.reply.text)
        return record.reply

    def _missing(self) -> JudgeUnavailable:
        now = prompt_fingerprint()
        if self._prompt and self._prompt != now:
            return JudgeUnavailable(
                f"the replies in {self._path.name}, recorded {self.recorded_at}, are to other prompts "
                f"({self._prompt[:8]} then, {now[:8]} now): no reply is recorded for this one",
                hint="Prompts have changed since. Record it anew: coach eval --record FILE, for the shipped ones make record.",
            )
        return JudgeUnavailable(
            f"no reply is recorded in {self._path.name} for this question, rubric and answer",
            hint="The rubric has changed since, or this answer was never recorded. Record it anew.",
        )

    async def aclose(self) -> None:
        """Nothing is open."""


class ReplayJudge(LLMJudge):
    """The LLM judge over recorded replies."""

    kind: JudgeKind = "replay"
    name = "replay"

    def __init__(self, path: Path) -> None:
        self._replay = ReplayEndpoint(path)
        super().__init__(self._replay, **self._replay.parameters.model_dump())

    @property
    def model(self) -> str:
        """The model that gave the recorded replies."""
        return self._replay.recorded_model


def _read(path: Path) -> dict[str, _Record]:
    records: dict[str, _Record] = {}
    try:
        for number, line in numbered_lines(path):
            try:
                record = _Record.model_validate_json(line)
            except ValidationError:
                raise InputError(f"{path}: line {number} is no record of a reply", hint="Record it anew.") from None
            records[record.key] = record
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", hint="Check --replay-file.") from None
    if not records:
        raise InputError(f"{path} holds no recorded replies", hint="Record some first.")
    return records
