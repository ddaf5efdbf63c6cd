"""autorubric: criteria with options, each option with a value; one call an answer or one a criterion."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import Any

from autorubric import Criterion, CriterionOption, DataItem, LLMConfig, Rubric, RubricDataset, evaluate
from autorubric.graders import CriterionGrader

from bench.peers.adapters.base import KEY, MODEL, Grader, Loop
from bench.peers.work import AT_ONCE, Work
from bench.peers.work import Criterion as Ours


def grader(mode: str, work: Work, url: str) -> Grader:
    """Options stay in order, which the reply counts on; everything else is the default."""
    judge = LLMConfig(model=f"openai/{MODEL}", api_base=url, api_key=KEY, max_parallel_requests=AT_ONCE)
    own = CriterionGrader(judge_model_config=judge, llm_calls=mode, shuffle_options=False)
    rubric, loop = Rubric([_criterion(c) for c in work.criteria]), Loop()

    def grade(answers: Sequence[str]) -> Any:
        dataset = RubricDataset(
            prompt=work.question,
            rubric=rubric,
            items=[DataItem(submission=a, description="") for a in answers],
            reference_submission=work.reference,
        )
        with tempfile.TemporaryDirectory() as folder:
            return loop.run(evaluate(dataset, own, show_progress=False, experiments_dir=folder))

    return Grader(grade, _levels)


def _criterion(criterion: Ours) -> Criterion:
    most = len(criterion.levels) - 1
    options = [CriterionOption(label=words, value=value / most) for value, words in enumerate(criterion.levels)]
    return Criterion(
        name=criterion.id, weight=1.0, requirement=f"{criterion.title}: {criterion.description}", options=options
    )


def _levels(result: Any) -> list[list[float]]:
    reports = [item.report for item in result.item_results if item.error is None]
    return [[_level(c) for c in report.report] for report in reports]


def _level(criterion: Any) -> float:
    if criterion.error or criterion.final_multi_choice_verdict.na:
        raise ValueError(f"no verdict: {criterion.error}")
    return float(criterion.final_multi_choice_verdict.selected_index)
