"""`Coach` as programs use it: one answer with or without an event loop, or many in order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fakes import HashEmbedder, ScriptedJudge

from coach import Coach, Question
from coach.errors import JudgeUnavailable
from coach.judgement import Judged
from coach.report import FeedbackReport

OWN = Question(
    question="When does a cache pay?",
    reference="A cache pays where reads repeat. The cost is invalidation.",
)
ANSWER = "A cache pays off where the same reads repeat often. You pay with invalidation when the truth changes."


def lenient() -> ScriptedJudge:
    return ScriptedJudge(lambda id: Judged(criterion_id=id, level=3))


def test_grade_works_without_and_within_a_loop() -> None:
    coach = Coach(judge=lenient(), embedder=HashEmbedder())

    async def notebook() -> FeedbackReport:
        return coach.grade(OWN, ANSWER)

    assert asyncio.run(notebook()) == coach.grade(OWN, ANSWER)
    coach.close()


def many(rows: list[dict[str, Any]], judge: ScriptedJudge | None = None) -> list[FeedbackReport]:
    coach = Coach(judge=judge or lenient(), embedder=HashEmbedder())

    async def work() -> list[FeedbackReport]:
        return [r async for r in coach.agrade_many(rows, concurrency=2)]

    return asyncio.run(work())


def test_many_come_back_in_order() -> None:
    rows = [{"id": str(n), "question_id": "q01", "answer": ANSWER} for n in range(5)]
    assert [r.id for r in many(rows)] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"question_id": "q01"}, "no text under `answer`"),
        ({"question_id": "q99", "answer": ANSWER}, "no question 'q99'"),
        ({"answer": ANSWER}, "neither `question_id` nor"),
        ({"question_id": "q01", "answer": " "}, "empty"),
        ({"question": "W?", "reference": " ", "answer": ANSWER}, "must both have text"),
        ({"question": "W?", "reference": "R.", "points": "p", "answer": ANSWER}, "must be a list"),
    ],
)
def test_a_bad_row_fails_with_its_cause_and_no_grade(row: dict[str, Any], message: str) -> None:
    (report,) = many([row])
    assert (report.status, report.total, report.criteria) == ("failed", None, ())
    assert report.error
    assert message in report.error.message


def test_a_row_may_bring_its_question_along() -> None:
    row = {"question": "W?", "reference": "R one. R two.", "points": ["mine"], "answer": ANSWER}
    assert [p.text for p in many([row])[0].points] == ["mine"]


def test_a_judge_that_fails_fails_the_row() -> None:
    rows = [{"question_id": "q01", "answer": ANSWER}]
    report = many(rows, ScriptedJudge(error=JudgeUnavailable("gone")))[0]
    assert report.error
    assert (report.status, report.error.kind, report.id) == ("failed", "JudgeUnavailable", "1")
