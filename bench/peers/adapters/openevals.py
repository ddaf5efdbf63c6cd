"""openevals: an evaluator per criterion, which gives one of the levels as its score."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from openai import AsyncOpenAI
from openevals.llm import create_async_llm_as_judge

from bench.peers.adapters.base import KEY, MODEL, Grader, Loop, gather
from bench.peers.work import AT_ONCE, Criterion, Work

PROMPT = """You grade one written answer to an interview question on one criterion.

<criterion>
{criterion}
</criterion>

<question>
{{inputs}}
</question>

<expert_answer>
{{reference_outputs}}
</expert_answer>

<answer>
{{outputs}}
</answer>

The score is the level that the answer reaches."""


def grader(mode: str, work: Work, url: str) -> Grader:
    """Through the OpenAI client, not through LangChain; with reasoning, which is the default."""
    client, gate, loop = AsyncOpenAI(base_url=url, api_key=KEY), asyncio.Semaphore(AT_ONCE), Loop()
    evaluators = [_evaluator(c, client) for c in work.criteria]

    async def one(evaluator: Any, answer: str) -> Any:
        async with gate:
            return await evaluator(inputs=work.question, outputs=answer, reference_outputs=work.reference)

    async def all_of(answer: str) -> Any:
        return await gather([one(e, answer) for e in evaluators])

    def grade(answers: Sequence[str]) -> Any:
        return loop.run(gather([all_of(a) for a in answers]))

    return Grader(grade, lambda rows: [[float(s["score"]) for s in row] for row in rows])


def _evaluator(criterion: Criterion, client: AsyncOpenAI) -> Any:
    return create_async_llm_as_judge(
        prompt=PROMPT.format(criterion=criterion.text),
        feedback_key=criterion.id,
        judge=client,
        model=MODEL,
        choices=[float(value) for value in range(len(criterion.levels))],
    )
