"""coach, as every other library here. What it imports late is imported at once, so that it counts as import."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnxruntime  # noqa: F401 - these three count as import, see above
import openai  # noqa: F401 - the same
import tokenizers  # noqa: F401 - the same

from bench.batch import Known
from bench.peers.adapters.base import KEY, MODEL, Grader, Loop
from bench.peers.work import AT_ONCE, Work
from coach import Coach
from coach.batch.engine import Flow
from coach.batch.reading import find_sources
from coach.batch.run import Job, run
from coach.judges.endpoint import Endpoint
from coach.judges.llm import LLMJudge
from coach.report import FeedbackReport

QUESTION = "q01"
NO_LEVEL = -1.0


def grader(mode: str, work: Work, url: str) -> Grader:
    """Question, rubric and reference are those of the bank, which `work` was made from."""
    judge = LLMJudge(Endpoint(model=MODEL, base_url=url, api_key=KEY))
    coach, loop = Coach(judge=judge, embedder=Known() if "vectors known" in mode else None), Loop()

    async def library(answers: Sequence[str]) -> Any:
        rows = [{"question_id": QUESTION, "answer": a} for a in answers]
        return [r async for r in coach.agrade_many(rows, concurrency=AT_ONCE)]

    async def batch(answers: Sequence[str]) -> Any:
        """From file to file, with the journal on; the lines are read as they are, since only the command is timed."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            lines = (json.dumps({"question_id": QUESTION, "answer": a}) for a in answers)
            (folder / "in.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
            job = Job(find_sources([str(folder / "in.jsonl")]), folder / "out.jsonl", journal=folder / "journal.sqlite")
            await run(coach, job, flow=Flow(concurrency=AT_ONCE))
            return (folder / "out.jsonl").read_text(encoding="utf-8").splitlines()

    way = batch if mode.startswith("batch") else library
    return Grader(lambda answers: loop.run(way(answers)), _levels)


def _levels(rows: Any) -> list[list[float]]:
    reports = [FeedbackReport.model_validate_json(row) if isinstance(row, str) else row for row in rows]
    return [[NO_LEVEL if c.level is None else float(c.level) for c in report.criteria] for report in reports]
