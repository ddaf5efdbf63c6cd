"""inspect_ai: a `model_graded_qa` scorer per criterion, over samples whose answers are already there."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import Any

from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import GenerateConfig, ModelOutput, get_model
from inspect_ai.scorer import model_graded_qa
from inspect_ai.solver import Generate, Solver, TaskState, solver

from bench.peers.adapters.base import KEY, MODEL, Grader
from bench.peers.work import AT_ONCE, Criterion, Work

TEMPLATE = """You are assessing a submitted answer to an interview question on one criterion.

[BEGIN DATA]
***
[Question]: {{question}}
***
[Submission]: {{answer}}
***
[Expert answer]: {{criterion}}
***
[END DATA]

Criterion: {criterion}

{{instructions}}
"""
INSTRUCTIONS = "First reason step by step. Then end with 'GRADE: $LEVEL' (without quotes), where LEVEL is from 0 to 4."
PATTERN = r"(?is).*GRADE\s*:\s*([0-4])"


@solver  # type: ignore[untyped-decorator] # its types are in another environment
def known() -> Solver:
    """Takes the answer that the sample carries."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state.output = ModelOutput.from_content("known", state.metadata["submitted"])
        return state

    return solve


def grader(mode: str, work: Work, url: str) -> Grader:
    """The samples are logged, as they always are; their scores are read from the log, which the clock leaves out."""
    model = get_model(
        f"openai/{MODEL}",
        base_url=url,
        api_key=KEY,
        responses_api=False,
        config=GenerateConfig(max_connections=AT_ONCE),
    )
    scorers = [_scorer(c, model) for c in work.criteria]
    folder = tempfile.TemporaryDirectory()

    def grade(answers: Sequence[str]) -> Any:
        samples = [Sample(input=work.question, target=work.reference, metadata={"submitted": a}) for a in answers]
        (log,) = eval(
            Task(dataset=samples, solver=known(), scorer=scorers),
            model=model,
            max_connections=AT_ONCE,
            display="none",
            log_dir=folder.name,
        )
        return log

    return Grader(grade, _levels)


def _scorer(criterion: Criterion, model: Any) -> Any:
    return model_graded_qa(
        template=TEMPLATE.format(criterion=criterion.text),
        instructions=INSTRUCTIONS,
        grade_pattern=PATTERN,
        model=model,
    )


def _levels(log: Any) -> list[list[float]]:
    if log.status != "success":
        raise ValueError(f"{log.status}: {log.error}")
    return [[float(s.value) for s in sample.scores.values()] for sample in log.samples]
