"""All criteria in one call, in groups, or one call each: what it costs and what comes back, on any endpoint.

python -m evals.compare_modes --base-url http://localhost:8080/v1 --model NAME --answers 20
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from typing import Any

from coach.evaluation.grade import make_preparer
from coach.evaluation.labels import Labelled, load_labelled, spread
from coach.judgement import Judged, Judgement
from coach.judges.endpoint import Endpoint
from coach.judges.llm import LLMJudge
from coach.models import JudgeTask
from coach.pricing import add_usage
from evals import ANSWERS

MODES = {"all": 0, "groups of 3": 3, "each": 1}


def pick(count: int) -> tuple[Labelled, ...]:
    """Answers spread over the questions and the scale, the same each time."""
    return spread(load_labelled(ANSWERS), count)


async def run_mode(endpoint: Endpoint, per_call: int, tasks: list[JudgeTask], max_tokens: int) -> list[Judgement]:
    """Judge all tasks, one after the other."""
    judge = LLMJudge(endpoint, per_call=per_call, repair_calls=0, max_tokens=max_tokens)
    return [await judge.judge(task) for task in tasks]


def describe(rows: tuple[Labelled, ...], judgements: list[Judgement], seconds: float) -> dict[str, Any]:
    """Calls, tokens, seconds, and how the levels lie to the labels."""
    usage = judgements[0].usage
    for judgement in judgements[1:]:
        usage = add_usage(usage, judgement.usage)
    pairs = [
        (v.level, row.criteria.get(v.criterion_id))
        for row, judgement in zip(rows, judgements, strict=True)
        for v in judgement.verdicts
        if isinstance(v, Judged)
    ]
    asked = sum(len(j.verdicts) for j in judgements)
    near = [abs(level - label) <= 1 for level, label in pairs if label is not None]
    return {
        "answers": len(rows),
        "calls": usage.calls,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "seconds": round(seconds, 1),
        "judged": f"{len(pairs)} of {asked}",
        "within_one": round(sum(near) / len(near), 2) if near else None,
    }


def main() -> None:
    """Print one line of JSON per mode."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--answers", type=int, default=20)
    parser.add_argument("--max-tokens", type=int, default=2500)
    options = parser.parse_args()
    preparer = make_preparer()
    prepared = [(r, preparer.prepare(r.asked, r.answer)) for r in pick(options.answers)]
    rows = tuple(r for r, p in prepared if not p.decided)
    tasks = [p.task for _, p in prepared if not p.decided]

    async def work(per_call: int) -> list[Judgement]:
        endpoint = Endpoint(model=options.model, base_url=options.base_url, timeout=900)
        try:
            return await run_mode(endpoint, per_call, tasks, options.max_tokens)
        finally:
            await endpoint.aclose()

    for name, per_call in MODES.items():
        start = time.perf_counter()
        judgements = asyncio.run(work(per_call))
        print(name, json.dumps(describe(rows, judgements, time.perf_counter() - start)), flush=True)


if __name__ == "__main__":
    main()
