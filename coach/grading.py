"""The whole pipeline, read top to bottom: bank, segment, embed, match, screen, judge, evidence, scoring, feedback."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from coach.answer import clean_answer
from coach.assembly import (
    caps_of,
    criterion_reports,
    decided_by_screen,
    flag_reports,
    judge_failure,
    point_reports,
    screen_info,
    standing_flags,
    verify_verdict,
    withheld,
)
from coach.bank import QuestionBank, load_bank, with_points
from coach.errors import CoachError, InputError
from coach.feedback import build_feedback
from coach.fingerprints import digest, rubric_fingerprint
from coach.flow import in_order
from coach.judges import make_judge
from coach.judges.base import Judge
from coach.models import (
    Judged,
    Judgement,
    JudgeTask,
    Landmarks,
    Matches,
    PointMatch,
    Question,
    Segment,
)
from coach.portal import Portal
from coach.report import (
    ErrorReport,
    FeedbackReport,
    Fingerprint,
    JudgeInfo,
)
from coach.scoring import CONSTANTS, credit, score
from coach.screen import screen_matches, screen_text
from coach.segment import segment
from coach.settings import Settings

if TYPE_CHECKING:
    from coach.embed import Embedder

BROUGHT = "brought"
"""Question id in reports on questions that came without a bank."""

_NOTHING_MATCHED = Matches(points=(), landmarks=Landmarks(), similarity=0.0, topicality=0.0)


class Prepared(NamedTuple):
    """An answer after all that needs no judge."""

    task: JudgeTask
    warnings: tuple[str, ...]

    @property
    def decided(self) -> bool:
        """Whether a check has settled the grade."""
        return any(f.decides for f in self.task.findings)


class _Row(NamedTuple):
    """One row of `agrade_many`, checked."""

    question: str | Question
    answer: str


class Coach:
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
        self.settings = settings or Settings.from_environment()
        self.bank = bank if isinstance(bank, QuestionBank) else load_bank(Path(bank) if bank else self.settings.bank)
        self.judge = (
            make_judge(judge, self.settings, on_verdicts=on_verdicts) if isinstance(judge, str | Sequence) else judge
        )
        self._embedder = embedder
        self._loading = threading.Lock()
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

    async def agrade(self, question: str | Question, answer: str, *, id: str = "answer") -> FeedbackReport:
        """Grade one answer; see `grade`."""
        screened = await asyncio.to_thread(self.prepare, question, answer)
        judgement = decided_by_screen(screened.task) if screened.decided else await self.judge.judge(screened.task)
        return self._report(id, screened, judgement)

    async def agrade_many(
        self, rows: Iterable[Mapping[str, object]], *, concurrency: int = 8
    ) -> AsyncIterator[FeedbackReport]:
        """Grade rows, `concurrency` at a time, and yield one report a row, in order.

        A row has `answer` and either `question_id` or `question` and `reference` (and `points`); it may have `id`. A row
        that cannot be graded yields a report with status `failed` and no grade.
        """
        jobs = (partial(self.grade_row, row, id=str(number)) for number, row in enumerate(rows, start=1))
        async for report in in_order(jobs, limit=concurrency):
            yield report

    async def grade_row(self, row: Mapping[str, object] | CoachError, *, id: str) -> FeedbackReport:
        """Grade one row of a batch; an error becomes a failed report, never a grade.

        Args:
            row: see `agrade_many`; or the error that reading the row met.
            id: name in the report where the row has none.
        """
        question_id = ""
        try:
            if isinstance(row, CoachError):
                raise row
            id = str(row.get("id") or id)
            question_id = str(row.get("question_id") or BROUGHT)
            parsed = read_row(row)
            return await self.agrade(parsed.question, parsed.answer, id=id)
        except CoachError as error:
            return self._failed(id, question_id, error)

    async def aclose(self) -> None:
        """Close the judge's connections."""
        await self.judge.aclose()

    def close(self) -> None:
        """Close the judge's connections and the thread that `grade` runs on."""
        self._portal.close(self.judge.aclose)

    # --- stages -----------------------------------------------------------------------------------------------------

    def prepare(self, question: str | Question, answer: str) -> Prepared:
        """All that comes before a judge: clean, segment, screen, embed and match."""
        found = self.bank.question(question) if isinstance(question, str) else question
        if not found.points:
            found = with_points(found, [s.text for s in segment(found.reference)])
        rubric = self.bank.rubric(found)
        text, warnings = clean_answer(answer)
        segments = segment(text)
        findings = screen_text(text, found, segments)
        if any(f.decides for f in findings):
            nothing = _NOTHING_MATCHED._replace(points=tuple(PointMatch(p, ()) for p in found.points))
            return Prepared(JudgeTask(found, rubric, text, segments, nothing, findings), warnings)
        matches = self._match(found, segments, text)
        if not any(f.check == "other_language" for f in findings):
            # The encoder reads English; how close another language comes to the question says nothing.
            findings += screen_matches(matches, found, segments)
        return Prepared(JudgeTask(found, rubric, text, segments, matches, findings), warnings)

    def _match(self, question: Question, segments: tuple[Segment, ...], text: str) -> Matches:
        from coach.embed import default_embedder
        from coach.match import match

        with self._loading:
            if self._embedder is None:
                self._embedder = default_embedder(self.settings.cache_dir)
        return match(question, segments, text, self._embedder, cache_dir=self.settings.cache_dir)

    def _report(self, id: str, screened: Prepared, judgement: Judgement) -> FeedbackReport:
        task = screened.task
        verdicts = tuple(credit(verify_verdict(v, task.answer)) for v in judgement.verdicts)
        flags, dropped = standing_flags(judgement.red_flags, task)
        caps = caps_of(task, flags)
        card = score(task.rubric, verdicts, caps=caps.values())
        points, unsaid = point_reports(task, judgement.points, decided=screened.decided)
        feedback = build_feedback(
            task.question, task.rubric, verdicts, card=card, points=points, flags=flags, caps=caps
        )
        failure = judge_failure(verdicts, card)
        return FeedbackReport(
            id=id,
            status="failed" if failure else "ok",
            question_id=task.question.id,
            question=task.question.question,
            total=card.total,
            overall=card.overall,
            band=card.band,
            second_look=card.second_look,
            judge=screen_info() if screened.decided else self._judge_info(),
            criteria=criterion_reports(task.rubric, verdicts, card),
            red_flags=flag_reports(task.rubric, flags, caps),
            points=points,
            strengths=feedback.strengths,
            next_steps=feedback.next_steps,
            follow_up=feedback.follow_up,
            warnings=(
                *screened.warnings,
                *(f.message for f in task.findings),
                *judgement.warnings,
                *dropped,
                *unsaid,
                *withheld(card),
            ),
            fingerprint=self._fingerprint(task),
            usage=judgement.usage,
            error=_error_report(failure) if failure else None,
        )

    def _judge_info(self) -> JudgeInfo:
        return JudgeInfo(kind=self.judge.kind, name=self.judge.name, model=self.judge.model)

    def _fingerprint(self, task: JudgeTask) -> Fingerprint:
        return Fingerprint(
            answer=digest(task.answer),
            rubric=rubric_fingerprint(task.question, task.rubric, CONSTANTS),
            prompt=self.judge.prompt_fingerprint,
            judge=self.judge.fingerprint,
        )

    def _failed(self, id: str, question_id: str, error: CoachError) -> FeedbackReport:
        return FeedbackReport(
            id=id,
            status="failed",
            question_id=question_id,
            total=None,
            overall=None,
            judge=self._judge_info(),
            fingerprint=Fingerprint(
                answer="", rubric="", prompt=self.judge.prompt_fingerprint, judge=self.judge.fingerprint
            ),
            error=_error_report(error),
        )


def _error_report(error: CoachError) -> ErrorReport:
    return ErrorReport(kind=type(error).__name__, message=error.message, hint=error.hint)


def read_row(row: Mapping[str, object]) -> _Row:
    """Check one row of a batch.

    Raises:
        InputError: names what the row lacks.
    """
    answer = row.get("answer")
    if not isinstance(answer, str):
        raise InputError("no text under `answer`", hint="Every row needs `answer`, a string.")
    if row.get("question_id"):
        return _Row(str(row["question_id"]), answer)
    question, reference = row.get("question"), row.get("reference")
    if not isinstance(question, str) or not isinstance(reference, str):
        raise InputError(
            "neither `question_id` nor `question` with `reference`",
            hint="Name a question of the bank, or bring the question and its expert answer along.",
        )
    return _Row(brought_question(question, reference, row.get("points")), answer)


def brought_question(question: str, reference: str, points: object = None, *, where: str = "the question") -> Question:
    """A question without a bank; its points are cut from the reference when none are given.

    Raises:
        InputError: the question or the reference is blank, or `points` is no list of texts.
    """
    if not question.strip() or not reference.strip():
        raise InputError(f"{where}: `question` and `reference` must both have text")
    if points is None:
        return Question(question=question, reference=reference)
    if not isinstance(points, Sequence) or isinstance(points, str) or not all(isinstance(p, str) for p in points):
        raise InputError(f"{where}: `points` must be a list of texts")
    return with_points(Question(question=question, reference=reference), [str(p) for p in points])
