"""Batches judged offline give the grades of single critiques."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from coach.errors import InputError
from coach.grading import Coach
from coach.judges.cross_encoder import GRAPH, CrossEncoder
from coach.judges.decision import DATA
from coach.precision import settled
from coach.report import FeedbackReport
from coach.settings import Precision, Settings

ANSWERS = Path(__file__).parents[2] / "evals" / "answers" / "part-1.jsonl"


def _rows(count: int) -> list[dict[str, str]]:
    rows = [json.loads(line) for line in ANSWERS.read_text(encoding="utf-8").splitlines()[:count]]
    return [{k: r[k] for k in ("id", "question_id", "answer")} for r in rows]


async def _many(coach: Coach, rows: list[dict[str, str]]) -> list[FeedbackReport]:
    return [report async for report in coach.agrade_many(rows)]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_an_answer_gets_the_same_grade_alone_and_among_others(precision: Precision, shared_cache: Path) -> None:
    try:
        settled(precision, shared_cache)
    except InputError as error:
        pytest.skip(error.message)
    coach = Coach(judge="offline", settings=Settings(cache_dir=shared_cache, precision=precision))
    rows = _rows(8)
    together = asyncio.run(_many(coach, rows))
    alone = [coach.grade(r["question_id"], r["answer"], id=r["id"]) for r in rows]
    coach.close()
    # In fp32 the last bits depend on what else is in a batch, and now and then the last digit of a cosine with them.
    assert [_grade(r) for r in together] == [_grade(r) for r in alone]
    if precision == "bf16":
        assert together == alone


def _grade(report: FeedbackReport) -> tuple[object, ...]:
    return (
        report.total,
        report.band,
        [(c.id, c.level, c.evidence) for c in report.criteria],
        [(f.id, f.cap) for f in report.red_flags],
        [(p.id, p.status) for p in report.points],
        report.fingerprint,
    )


def test_passes_side_by_side_read_the_same_as_one_alone() -> None:
    reader = CrossEncoder(DATA / GRAPH)
    texts = [r["answer"] for r in _rows(6)]

    async def together() -> list[Any]:
        return list(await asyncio.gather(*(asyncio.to_thread(reader.read, "Why?", ["Because."], t) for t in texts)))

    beside = asyncio.run(together())
    alone: list[Any] = [reader.read("Why?", ["Because."], t) for t in texts]
    assert all(
        (found == wanted).all() if hasattr(found, "all") else found == wanted
        for first, second in zip(beside, alone, strict=True)
        for found, wanted in zip(first, second, strict=True)
    )
