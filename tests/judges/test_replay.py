from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import rubric

from coach.errors import InputError, JudgeUnavailable
from coach.judgement import Judged, Usage
from coach.judges.chat import ChatReply, ChatRequest
from coach.judges.llm import LLMJudge
from coach.judges.replay import RecordingEndpoint, ReplayJudge
from coach.models import JudgeTask, Landmarks, Matches, Question

ENTRY = {"id": "bias", "quotes": ["what it is for"], "reasoning": "Asks.", "level": 3}
TEXT = json.dumps({"criteria": [ENTRY]})


class OneReply:
    """A text written by hand for this test, as if a model had given it."""

    model = "scripted-1"
    identity = "scripted"
    thinks = False

    async def complete(self, request: ChatRequest, *, on_text: Callable[[str], None] | None = None) -> ChatReply:
        return ChatReply(TEXT, "stop", None, Usage(calls=1, prompt_tokens=9), "json_schema", "scripted-1-0526")

    async def aclose(self) -> None:
        pass


def task(answer: str = "First I ask what it is for.") -> JudgeTask:
    question = Question(question="Which?", reference="It depends.")
    return JudgeTask(question, rubric(bias=100), answer, (), Matches((), Landmarks(), 0.0, 0.0))


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "replies.jsonl"
    asyncio.run(LLMJudge(RecordingEndpoint(OneReply(), path)).judge(task()))
    return path


def test_a_recorded_reply_is_judged_as_the_live_one_was(records: Path) -> None:
    live = asyncio.run(LLMJudge(OneReply()).judge(task()))
    assert asyncio.run(ReplayJudge(records).judge(task())) == live
    assert isinstance(live.verdicts[0], Judged)


def test_a_record_names_the_model_that_gave_it(records: Path) -> None:
    assert ReplayJudge(records).model == "scripted-1-0526"
    assert json.loads(records.read_text(encoding="utf-8"))["model"] == "scripted-1-0526"


def test_another_answer_has_no_record_and_says_so(records: Path) -> None:
    with pytest.raises(JudgeUnavailable, match="no reply is recorded") as caught:
        asyncio.run(ReplayJudge(records).judge(task("Something else entirely.")))
    assert "Record it anew" in caught.value.hint


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"key": 1',
        "[" * 100_000,
        '{"key": "a"}',
        '{"key": "a", "asked_as": "m", "model": "m", "reply": {"text": 5}}',
    ],
)
def test_a_file_without_records_is_an_input_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "r.jsonl").write_text(content, encoding="utf-8")
    with pytest.raises(InputError):
        ReplayJudge(tmp_path / "r.jsonl")
