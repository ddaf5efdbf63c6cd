"""`Coach`, what programs use: one answer, or any number of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

from coach.batch.engine import Engine, Flow
from coach.batch.journal import Journal
from coach.batch.rows import rows_of
from coach.judgement import Judged
from coach.judges.base import Judge
from coach.models import Question
from coach.pipeline import Pipeline
from coach.portal import Portal
from coach.report import FeedbackReport
from coach.settings import Settings

if TYPE_CHECKING:
    from coach.bank import QuestionBank
    from coach.embed import Embedder

LEAST_WINDOW = 16
"""Rows taken at once by `agrade_many`."""


class Coach(Pipeline):
    """Grades answers. One object holds one bank, one judge and one embedder, and may be shared by threads.

    Args:
        bank: a loaded bank, or the folder of one; the shipped bank when not given.
        judge: `auto`, `offline`, `llm`, `llm:MODEL`, `replay`, `escalate`, several of them for a panel, or any object that
            keeps the `Judge` protocol.
        embedder: any object that keeps the `Embedder` protocol; the shipped encoder when not given.
        settings: endpoint, cache folder and the like; read from the environment when not given.
        on_verdicts: told the verdicts read so far while an LLM's reply comes in.

    Example:
        >>> from coach import Coach
        >>> report = Coach(judge="offline").grade("q01", "I would first ask what the feed is for ...")
        >>> report.total, report.next_steps[0].advice
    """

    def __init__(
        self,
        *,
        bank: QuestionBank | Path | str | None = None,
        judge: str | Sequence[str] | Judge = "auto",
        embedder: Embedder | None = None,
        settings: Settings | None = None,
        on_verdicts: Callable[[tuple[Judged, ...]], None] | None = None,
    ) -> None:
        super().__init__(bank=bank, judge=judge, embedder=embedder, settings=settings, on_verdicts=on_verdicts)
        self._portal = Portal()

    def grade(self, question: str | Question, answer: str, *, id: str = "answer") -> FeedbackReport:
        """Grade one answer and wait for the report; safe to call from a notebook or a running event loop.

        Args:
            question: an id of the bank, or a question brought along.
            answer: the answer's text.
            id: name of this answer in the report.

        Raises:
            InputError: the question is unknown, or the answer is empty or too long.
            JudgeError: the judge gave no verdict at all. That is never a grade.
        """
        return self._portal.run(self.agrade(question, answer, id=id))

    async def agrade_many(
        self,
        rows: Iterable[Mapping[str, object]],
        *,
        concurrency: int = 8,
        journal: Path | None = None,
    ) -> AsyncIterator[FeedbackReport]:
        """Grade rows, `concurrency` at a time, and yield one report a row, in order: the engine of `coach batch`.

        A row has `answer` and either `question_id` or `question` and `reference` (and `points`); it may have `id`. A row
        that cannot be graded yields a report with status `failed` and no grade. Rows are taken in a thread as there is
        room, so they may be endless; a reader that is slow holds up the work, and one that stops ends it.

        Args:
            rows: any iterable.
            concurrency: answers at the judge at once, at most.
            journal: SQLite file in which grades are kept and found again; made where it is missing.

        Raises:
            JournalError: the journal cannot be used.
            JudgeError: the judge failed so many rows in a row that going on makes no sense.
        """
        book = Journal(journal) if journal else None
        flow = Flow(concurrency=concurrency, window=max(LEAST_WINDOW, 4 * concurrency))
        try:
            async with aclosing(Engine(self, rows_of(rows), flow=flow, journal=book).outcomes()) as outcomes:
                async for outcome in outcomes:
                    yield outcome.report
        finally:
            if book is not None:
                book.close()

    def close(self) -> None:
        """Close the judge's connections and the thread that `grade` runs on."""
        self._portal.close(self.judge.aclose)
