"""deepeval: a GEval metric per criterion with its steps given, so that it need not ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deepeval import evaluate
from deepeval.evaluate import AsyncConfig, CacheConfig, DisplayConfig
from deepeval.metrics import GEval
from deepeval.metrics.g_eval import Rubric
from deepeval.models import LocalModel
from deepeval.test_case import LLMTestCase, SingleTurnParams

from bench.peers.adapters.base import KEY, MODEL, Grader
from bench.peers.work import AT_ONCE, Criterion, Work


def grader(mode: str, work: Work, url: str) -> Grader:
    """Through its own class for such endpoints. `max_concurrent` counts test cases, not requests."""
    model = LocalModel(model=MODEL, api_key=KEY, base_url=url)
    metrics = [_metric(c, model) for c in work.criteria]

    def grade(answers: Sequence[str]) -> Any:
        cases = [LLMTestCase(input=work.question, actual_output=a, expected_output=work.reference) for a in answers]
        return evaluate(
            cases,
            metrics,
            async_config=AsyncConfig(max_concurrent=AT_ONCE),
            display_config=DisplayConfig(show_indicator=False, print_results=False, inspect_after_run=False),
            cache_config=CacheConfig(write_cache=False),
        )

    most = len(work.criteria[0].levels) - 1
    return Grader(grade, lambda result: [_row(found, most) for found in result.test_results])


def _metric(criterion: Criterion, model: LocalModel) -> GEval:
    return GEval(
        name=criterion.title,
        evaluation_params=[
            SingleTurnParams.INPUT,
            SingleTurnParams.ACTUAL_OUTPUT,
            SingleTurnParams.EXPECTED_OUTPUT,
        ],
        evaluation_steps=[
            f"Judge the actual output on this alone: {criterion.description}.",
            "The expected output is an expert's answer; other words for the same are as good.",
            "Choose the level that describes the actual output.",
        ],
        rubric=[Rubric(score_range=(n, n), expected_outcome=words) for n, words in enumerate(criterion.levels)],
        model=model,
    )


def _row(found: Any, most: int) -> list[float]:
    """Scores come as a share of the range."""
    return [round(most * metric.score, 6) for metric in found.metrics_data]
