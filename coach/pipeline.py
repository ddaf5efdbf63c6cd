"""One answer through all stages: what comes before the judge, the judge, then evidence, scoring and feedback."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from coach.asked import Asked, Questions
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
from coach.bank import QuestionBank, load_bank
from coach.errors import CoachError
from coach.feedback import build_feedback
from coach.fingerprints import digest
from coach.judgement import Judged, Judgement, Usage
from coach.judges import make_judge
from coach.judges.base import Judge
from coach.judges.pace import Pace
from coach.prepare import Prepared, Preparer
from coach.report import ErrorReport, FeedbackReport, Fingerprint, JudgeInfo
from coach.scoring import credit, score
from coach.settings import Settings

if TYPE_CHECKING:
    from coach.embed import Embedder
    from coach.judges.chat import ChatEndpoint
    from coach.judges.endpoint import Endpoint


class Pipeline:
    """Bank, embedder and judge, and the stages between them. May be shared by threads.

    Args:
        bank: a loaded bank, or the folder of one; the shipped bank when not given.
        judge: a name or several (see `coach.judges.make_judge`), or any object that keeps the `Judge` protocol.
        embedder: as in `coach.prepare.Preparer`.
        settings: endpoint, cache folder and the like; read from the environment when not given.
        on_verdicts: told the verdicts read so far while an LLM's reply comes in.
        wrap: as in `coach.judges.make_judge`.
        pace: as in `coach.judges.make_judge`; one of its own when not given.

    Attributes:
        questions: of the bank or brought along, each made ready once.
        preparer: does what comes before the judge.
        pace: how many calls the endpoint takes at once, as learned from its responses.
    """

    def __init__(
        self,
        *,
        bank: QuestionBank | Path | str | None = None,
        judge: str | Sequence[str] | Judge = "auto",
        embedder: Embedder | None = None,
        settings: Settings | None = None,
        on_verdicts: Callable[[tuple[Judged, ...]], None] | None = None,
        wrap: Callable[[Endpoint], ChatEndpoint] | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.settings = settings or Settings.from_environment()
        self.bank = bank if isinstance(bank, QuestionBank) else load_bank(Path(bank) if bank else self.settings.bank)
        self.questions = Questions(self.bank)
        self.preparer = Preparer(self.questions, self.settings, embedder)
        self.pace = pace or Pace()
        self.judge = (
            make_judge(judge, self.settings, on_verdicts=on_verdicts, pace=self.pace, wrap=wrap)
            if isinstance(judge, str | Sequence)
            else judge
        )

    async def agrade(self, question: Asked, answer: str, *, id: str = "answer") -> FeedbackReport:
        """Grade one answer.

        Args:
            question: an id of the bank, or a question brought along.
            answer: the answer's text.
            id: name of this answer in the report.

        Raises:
            InputError: the question is unknown, or the answer is empty or too long.
            JudgeError: the judge gave no verdict at all. That is never a grade.
        """
        return await self.grade_prepared(await asyncio.to_thread(self.prepare, question, answer), id=id)

    def prepare(self, question: Asked, answer: str) -> Prepared:
        """All that comes before a judge.

        Raises:
            InputError: the question is unknown, or the answer is empty or too long.
        """
        return self.preparer.prepare(question, answer)

    def prepare_many(self, answers: Sequence[tuple[Asked, str]]) -> list[Prepared | CoachError]:
        """`prepare` for many answers with one call of the encoder; what cannot be graded gives its error in its place.

        Raises:
            InputError: the encoder's precision that the settings name is not to be had.
        """
        return self.preparer.prepare_many(answers)

    async def grade_prepared(self, prepared: Prepared, *, id: str) -> FeedbackReport:
        """The rest of `agrade`, for an answer that went through `prepare_many`."""
        return self.report(id, prepared, await self.judge_prepared(prepared))

    async def judge_prepared(self, prepared: Prepared) -> Judgement:
        """What the judge says, or the screen where that decides.

        Raises:
            JudgeError: the judge gave no verdict at all.
        """
        return decided_by_screen(prepared.task) if prepared.decided else await self.judge.judge(prepared.task)

    def report(self, id: str, prepared: Prepared, judgement: Judgement) -> FeedbackReport:
        """The report that a judgement makes: evidence checked, scored, with what to do next."""
        task = prepared.task
        verdicts = tuple(credit(verify_verdict(v, task.answer)) for v in judgement.verdicts)
        flags, dropped = standing_flags(judgement.red_flags, task)
        caps = caps_of(task, flags)
        card = score(task.rubric, verdicts, caps=caps.values())
        points, unsaid = point_reports(task, judgement.points, decided=prepared.decided)
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
            judge=screen_info() if prepared.decided else self._judge_info(),
            criteria=criterion_reports(task.rubric, verdicts, card),
            red_flags=flag_reports(task.rubric, flags, caps),
            points=points,
            strengths=feedback.strengths,
            next_steps=feedback.next_steps,
            follow_up=feedback.follow_up,
            warnings=(
                *prepared.warnings,
                *(f.message for f in task.findings),
                *judgement.warnings,
                *dropped,
                *unsaid,
                *withheld(card),
            ),
            incomplete=judgement.incomplete,
            left_open=judgement.open_parts,
            fingerprint=Fingerprint(
                answer=digest(task.answer),
                rubric=prepared.rubric_fingerprint,
                prompt=self.judge.prompt_fingerprint,
                judge=self.judge.fingerprint,
                encoder=prepared.encoder,
            ),
            usage=judgement.usage,
            error=_error_report(failure) if failure else None,
        )

    def failed(self, id: str, question_id: str, error: CoachError) -> FeedbackReport:
        """The report of an answer that could not be graded: status `failed`, no grade."""
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
            usage=error.usage or Usage(),
            error=_error_report(error),
        )

    async def aclose(self) -> None:
        """Close the judge's connections."""
        await self.judge.aclose()

    def _judge_info(self) -> JudgeInfo:
        return JudgeInfo(kind=self.judge.kind, name=self.judge.name, model=self.judge.model)


def _error_report(error: CoachError) -> ErrorReport:
    return ErrorReport(kind=type(error).__name__, message=error.message, hint=error.hint)
