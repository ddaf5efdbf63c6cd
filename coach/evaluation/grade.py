"""Grading labelled answers with any judge, through the whole pipeline."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from coach.asked import Questions
from coach.bank import QuestionBank, load_bank
from coach.embed import Embedder, Vectors, default_embedder
from coach.evaluation.labels import Labelled
from coach.grading import Coach
from coach.judges.base import Judge
from coach.prepare import Preparer
from coach.report import FeedbackReport
from coach.settings import Settings


class GradedRow(NamedTuple):
    """A labelled answer and what a judge made of it."""

    label: Labelled
    report: FeedbackReport


class RememberingEmbedder:
    """Encodes each text once: folds see the same answers again and again."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: dict[str, Any] = {}
        self.name, self.dimension = embedder.name, embedder.dimension

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.encode`."""
        new = [t for t in dict.fromkeys(texts) if t not in self._known]
        self._known |= dict(zip(new, self._embedder.encode(new), strict=True))
        return np.stack([self._known[t] for t in texts])


def make_coach(judge: Judge, settings: Settings | None = None) -> Coach:
    """A coach whose embedder remembers what it has encoded."""
    settings = settings or Settings.from_environment()
    return Coach(bank=settings.bank, judge=judge, embedder=_embedder(settings.cache_dir), settings=settings)


def make_preparer() -> Preparer:
    """The same without a judge, where answers are only prepared."""
    settings = Settings.from_environment()
    return Preparer(Questions(load_bank(settings.bank)), settings, _embedder(settings.cache_dir))


@cache
def _embedder(cache_dir: Path) -> RememberingEmbedder:
    return RememberingEmbedder(default_embedder(cache_dir))


def grade_rows(
    judge: Judge, rows: Sequence[Labelled], settings: Settings | None = None, *, concurrency: int = 2
) -> list[GradedRow]:
    """Grade all rows, in order; a row that fails has a failed report."""
    coach = make_coach(judge, settings)
    reports = grade_all(coach, [r.row for r in rows], concurrency=concurrency)
    return [beside_label(row, report, coach.bank) for row, report in zip(rows, reports, strict=True)]


def beside_label(row: Labelled, report: FeedbackReport, bank: QuestionBank) -> GradedRow:
    """A report beside its label, of which only the red flags stay that the question is asked about.

    A bank's own questions are asked about all its flags, one that is brought along about those that apply by default: no judge
    is asked about the rest, so none can miss them.
    """
    if row.question_id:
        return GradedRow(row, report)
    asked = {f.id for f in bank.red_flags.values() if f.applies_by_default}
    return GradedRow(row._replace(red_flags=row.red_flags & asked), report)


def grade_all(coach: Coach, rows: Sequence[Mapping[str, object]], *, concurrency: int = 8) -> list[FeedbackReport]:
    """Grade rows as a batch would, in order, and close the judge; what cannot be graded has a failed report."""

    async def work() -> list[FeedbackReport]:
        try:
            return await agrade_all(coach, rows, concurrency=concurrency)
        finally:
            await coach.aclose()

    return asyncio.run(work())


async def agrade_all(coach: Coach, rows: Sequence[Mapping[str, object]], *, concurrency: int) -> list[FeedbackReport]:
    """The same in a running loop; the judge stays open."""
    return [report async for report in coach.agrade_many(rows, concurrency=concurrency)]
