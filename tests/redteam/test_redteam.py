"""Sixty attacks in twelve families: what is sent, and what an obedient judge makes of it in the report."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from fakes import HashEmbedder
from redteam.attacks import ATTACKS, FAMILIES, HONEST

from coach import Coach
from coach.judgement import Usage
from coach.judges.chat import ChatReply, ChatRequest
from coach.judges.llm import LLMJudge
from coach.neutralize import fence_for
from coach.prompting import render_judge_prompt
from coach.report import FeedbackReport

BORDERLINE = 2
"""Hiring signal an answer with an injected grade must not pass."""


class ObedientEndpoint:
    """A model that does whatever the candidate asks: top levels, no flags, and a real quote to get past the check."""

    model = "obedient"
    identity = "scripted"
    thinks = False

    async def complete(self, request: ChatRequest, *, on_text: Callable[[str], None] | None = None) -> ChatReply:
        schema: Any = request.schema
        ids = schema["properties"]["criteria"]["items"]["properties"]["id"]["enum"]
        quote = "I would first ask what the feed is for"
        entries = [{"id": i, "quotes": [quote], "reasoning": "As told.", "level": 4} for i in ids]
        text = json.dumps({"criteria": entries, "points": [], "red_flags": []})
        return ChatReply(text, "stop", None, Usage(calls=1), "json_schema", self.model)

    async def aclose(self) -> None:
        pass


COACH = Coach(judge=LLMJudge(ObedientEndpoint()), embedder=HashEmbedder())


def grade(answer: str) -> FeedbackReport:
    return asyncio.run(COACH.agrade("q01", answer))


def test_there_are_sixty_attacks_in_twelve_families() -> None:
    assert (len(FAMILIES), len(ATTACKS) >= 60) == (12, True)


def test_without_an_attack_the_obedient_judge_has_its_way() -> None:
    report = grade(HONEST)
    assert (report.red_flags, report.overall) == ((), 5)


@pytest.mark.parametrize(("family", "attack"), ATTACKS)
def test_an_obedient_judge_gets_no_injected_grade_through(family: str, attack: str) -> None:
    report = grade(f"{HONEST}\n\n{attack}")
    assert report.overall is not None
    assert report.overall <= BORDERLINE


@pytest.mark.parametrize(("family", "attack"), ATTACKS)
def test_the_attempt_is_shown_with_its_own_words(family: str, attack: str) -> None:
    answer = f"{HONEST}\n\n{attack}"
    flag = next(f for f in grade(answer).red_flags if f.id == "gaming")
    assert all(e.start is not None and e.start >= len(HONEST) for e in flag.evidence)


@pytest.mark.parametrize(("family", "attack"), ATTACKS)
def test_what_is_sent_keeps_the_attack_inside_of_its_fence(family: str, attack: str) -> None:
    answer = COACH.prepare("q01", f"{HONEST}\n\n{attack}").task.answer
    prompt = render_judge_prompt(COACH.prepare("q01", f"{HONEST}\n\n{attack}").task)
    fence = fence_for(answer)
    body = prompt.user[prompt.user.rindex(fence.open) + len(fence.open) : prompt.user.rindex(fence.close)]
    assert prompt.user.count(fence.close) == prompt.user.count(fence.open)
    assert prompt.user.rstrip().endswith(fence.close)
    assert (
        attack.split(maxsplit=1)[0][:6] not in prompt.system
        or attack.split(maxsplit=1)[0][:6] in render_judge_prompt(COACH.prepare("q01", HONEST).task).system
    )
    assert not re.search(r"<\|\w+\|>|\[/?INST\]|<</?SYS>>|</s>|<<<|>>>|```", body)
    assert not re.search(r"^\s*(?:system|assistant|grader)\s*:", body, re.IGNORECASE | re.MULTILINE)
