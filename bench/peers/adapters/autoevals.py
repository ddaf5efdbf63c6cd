"""autoevals: a classifier per criterion, which picks a level by a tool call."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from autoevals import LLMClassifier
from openai import AsyncOpenAI

from bench.peers.adapters.base import KEY, MODEL, Grader, Loop, gather
from bench.peers.work import AT_ONCE, Criterion, Work

PROMPT = """You grade one written answer to an interview question on one criterion.

Question: {{{{input}}}}

Expert answer: {{{{expected}}}}

Criterion: {criterion}

Answer: {{{{output}}}}

Which level does the answer reach?"""


def grader(mode: str, work: Work, url: str) -> Grader:
    """Rationale asked for before the choice, which is the default."""
    client, gate, loop = AsyncOpenAI(base_url=url, api_key=KEY), asyncio.Semaphore(AT_ONCE), Loop()
    classifiers = [_classifier(c, client) for c in work.criteria]

    async def one(classifier: Any, answer: str) -> Any:
        async with gate:
            return await classifier.eval_async(output=answer, expected=work.reference, input=work.question)

    async def all_of(answer: str) -> Any:
        return await gather([one(c, answer) for c in classifiers])

    def grade(answers: Sequence[str]) -> Any:
        return loop.run(gather([all_of(a) for a in answers]))

    return Grader(grade, lambda rows: [[float(s.metadata["choice"]) for s in row] for row in rows])


def _classifier(criterion: Criterion, client: AsyncOpenAI) -> Any:
    most = len(criterion.levels) - 1
    return LLMClassifier(
        name=criterion.id,
        prompt_template=PROMPT.format(criterion=criterion.text),
        choice_scores={str(value): value / most for value in range(most + 1)},
        model=MODEL,
        client=client,
    )
