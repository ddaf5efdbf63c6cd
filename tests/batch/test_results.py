"""When grades are kept, and who is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from fakes import HashEmbedder, ScriptedJudge

from coach.batch.engine import Engine, Flow
from coach.batch.outcome import Outcome
from coach.batch.records import Grade
from coach.batch.rows import rows_of
from coach.errors import JournalError
from coach.judgement import Evidence, Judged, Judgement
from coach.models import JudgeTask
from coach.pipeline import Pipeline

ANSWER = "A cache pays off where the same reads repeat often. You pay with invalidation when the truth changes. Number"
QUOTE = Evidence(quote="the same reads repeat")


class Together(ScriptedJudge):
    """Answers once so many have been asked for, all at the same moment."""

    def __init__(self, count: int) -> None:
        super().__init__(lambda id: Judged(criterion_id=id, level=2, evidence=(QUOTE,)))
        self._missing, self._all_there = count, asyncio.Event()

    async def judge(self, task: JudgeTask) -> Judgement:
        self._missing -= 1
        if self._missing == 0:
            self._all_there.set()
        await self._all_there.wait()
        return await super().judge(task)


class Book:
    """Remembers how many grades it was given at once."""

    def __init__(self, fault: JournalError | None = None) -> None:
        self.kept: list[int] = []
        self._fault = fault

    def found(self, keys: Sequence[bytes], *, since: float = 0.0) -> dict[bytes, Grade]:
        return {}

    def claim(self, keys: Sequence[bytes], *, since: float = 0.0) -> set[bytes]:
        return set(keys)

    def keep(self, grades: Sequence[tuple[bytes, Grade]]) -> None:
        if self._fault:
            raise self._fault
        self.kept.append(len(grades))

    def fail(self, key: bytes, cause: str) -> None:
        raise AssertionError(cause)


def run(book: Book, told: list[tuple[Outcome, int]]) -> None:
    """Four rows judged at the same moment; notes outcomes, each with the grades kept by then."""

    async def work() -> None:
        rows = rows_of({"question_id": "q01", "answer": f"{ANSWER} {n}"} for n in range(4))
        pipeline = Pipeline(judge=Together(4), embedder=HashEmbedder())
        async for outcome in Engine(pipeline, rows, flow=Flow(concurrency=4), journal=book).outcomes():
            told.append((outcome, sum(book.kept)))

    asyncio.run(work())


def test_grades_of_one_moment_are_kept_in_one_write() -> None:
    book = Book()
    run(book, [])
    assert book.kept == [4]


def test_a_row_is_told_of_once_its_grade_is_kept() -> None:
    told: list[tuple[Outcome, int]] = []
    run(Book(), told)
    assert [kept for _, kept in told] == [4, 4, 4, 4]


def test_a_journal_that_cannot_be_written_ends_the_run_and_hands_out_nothing() -> None:
    told: list[tuple[Outcome, int]] = []
    with pytest.raises(JournalError, match="full"):
        run(Book(JournalError("the disk is full")), told)
    assert told == []
