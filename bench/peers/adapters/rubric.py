"""rubric: requirements that are met or not, all in one call or one a call; the caller brings the call."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar

from openai import AsyncOpenAI
from pydantic import BaseModel
from rubric import OneShotOutput, PerCriterionOutput, Rubric
from rubric.autograders import PerCriterionGrader, PerCriterionOneShotGrader

from bench.peers.adapters.base import KEY, MODEL, Grader, Loop, gather
from bench.peers.work import AT_ONCE, Work

Output = TypeVar("Output", bound=BaseModel)


def grader(mode: str, work: Work, url: str) -> Grader:
    """The expert's answer goes with the question: there is no place of its own for it."""
    client, gate, loop = AsyncOpenAI(base_url=url, api_key=KEY), asyncio.Semaphore(AT_ONCE), Loop()
    rubric = Rubric.from_dict([{"weight": 1.0, "requirement": f"Reaches level 3. {c.text}"} for c in work.criteria])
    query = f"{work.question}\n\nExpert answer: {work.reference}"

    async def call(output: type[Output], system: str, user: str) -> Output:
        async with gate:
            reply = await client.chat.completions.create(
                model=MODEL,
                messages=[{"role": "system", "content": system}, {"role": "user", "content": user}],
                response_format={
                    "type": "json_schema",
                    "json_schema": {"name": "output", "schema": output.model_json_schema()},
                },
                temperature=0.0,
            )
        return output.model_validate_json(reply.choices[0].message.content or "{}")

    async def one_shot(system_prompt: str, user_prompt: str, **_: Any) -> OneShotOutput:
        return await call(OneShotOutput, system_prompt, user_prompt)

    async def each(system_prompt: str, user_prompt: str, **_: Any) -> PerCriterionOutput:
        return await call(PerCriterionOutput, system_prompt, user_prompt)

    autograder = PerCriterionOneShotGrader(one_shot) if mode == "one-shot" else PerCriterionGrader(each)

    def grade(answers: Sequence[str]) -> Any:
        return loop.run(gather([rubric.grade(a, autograder=autograder, query=query) for a in answers]))

    return Grader(grade, _levels)


def _levels(reports: Any) -> list[list[float]]:
    """Met is 1. One that is missing in the reply is given as unmet with a reason of its own."""
    return [[float(c.verdict == "MET") for c in report.report] for report in reports]
