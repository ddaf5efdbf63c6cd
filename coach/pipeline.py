"""One answer through all stages, read top to bottom: bank, segment, embed, match, screen, judge, evidence, scoring, feedback."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

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
from coach.judges import make_judge
from coach.judges.base import Judge
from coach.judges.pace import Pace
from coach.models import Judged, Judgement, JudgeTask, Landmarks, Matches, PointMatch, Question, Rubric, Usage
from coach.report import ErrorReport, FeedbackReport, Fingerprint, JudgeInfo
from coach.scoring import CONSTANTS, credit, score
from coach.screen import screen_matches, screen_text
from coach.segment import segment
from coach.settings import Settings

if TYPE_CHECKING:
    from coach.embed import Embedder
    from coach.judges.chat import ChatEndpoint
    from coach.judges.endpoint import Endpoint
    from coach.match import QuestionVectors

QUESTIONS_KEPT = 1024
"""Questions kept ready with rubric and vectors, some tens of kilobytes each."""
GRADED_AS = 2
"""Raised when screening, matching or the search for quotes changes what an answer comes to: no journal then hands out grades
from before, and no fingerprint calls two such grades alike."""
_NOTHING_MATCHED = Matches(points=(), landmarks=Landmarks(), similarity=0.0, topicality=0.0)


class Brought(NamedTuple):
    """A question that a row brings along. Its points are cut from the reference where it names none."""

    question: str
    reference: str
    points: tuple[str, ...] | None = None


class Ready(NamedTuple):
    """A question with all that does not depend on the answer."""

    question: Question
    rubric: Rubric
    fingerprint: str
    """Digest of question, rubric and scoring."""


class Prepared(NamedTuple):
    """An answer after all that needs no judge."""

    task: JudgeTask
    warnings: tuple[str, ...]
    rubric_fingerprint: str
    encoder: str = ""
    """Name of the encoder; empty where none was needed."""

    @property
    def decided(self) -> bool:
        """Whether a check has settled the grade."""
        return any(f.decides for f in self.task.findings)


Match = Callable[[Sequence[Prepared]], Iterable[Prepared]]
"""Drafts to the same with their matches, in order; asks the encoder."""
Asked = str | Brought | Question
"""An id of the bank, or a question brought along."""


class Pipeline:
    """Bank, embedder and judge, and the stages between them. May be shared by threads.

    Args:
        bank: a loaded bank, or the folder of one; the shipped bank when not given.
        judge: a name or several (see `coach.judges.make_judge`), or any object that keeps the `Judge` protocol.
        embedder: any object that keeps the `Embedder` protocol; when not given, the shipped encoder, for many answers in the
            precision that the settings and the processor make of it.
        settings: endpoint, cache folder and the like; read from the environment when not given.
        on_verdicts: told the verdicts read so far while an LLM's reply comes in.
        wrap: as in `coach.judges.make_judge`.
        pace: as in `coach.judges.make_judge`; one of its own when not given.

    Attributes:
        pace: how many calls the endpoint takes at once, as learned from its responses.
        matching: does the matching of `prepare_many`, given what does it without; None leaves it to that.
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
        self.pace = pace or Pace()
        self.matching: Callable[[Match, Sequence[Prepared]], Iterable[Prepared]] | None = None
        self.judge = (
            make_judge(judge, self.settings, on_verdicts=on_verdicts, pace=self.pace, wrap=wrap)
            if isinstance(judge, str | Sequence)
            else judge
        )
        self._embedder = embedder
        self._encoders: dict[bool, Embedder] = {}
        self._loading = threading.Lock()
        self._ready = lru_cache(QUESTIONS_KEPT)(self._make_ready)
        self._own = lru_cache(QUESTIONS_KEPT)(lambda json: self._make_ready(Question.model_validate_json(json)))
        self._vectors = lru_cache(QUESTIONS_KEPT)(self._load_vectors)

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

    async def grade_prepared(self, prepared: Prepared, *, id: str) -> FeedbackReport:
        """The rest of `agrade`, for an answer that went through `prepare_many`."""
        judgement = decided_by_screen(prepared.task) if prepared.decided else await self.judge.judge(prepared.task)
        return self._report(id, prepared, judgement)

    async def aclose(self) -> None:
        """Close the judge's connections."""
        await self.judge.aclose()

    # --- stages -----------------------------------------------------------------------------------------------------

    def prepare(self, question: Asked, answer: str) -> Prepared:
        """All that comes before a judge: clean, segment, screen, embed and match.

        Raises:
            InputError: the question is unknown, or the answer is empty or too long.
        """
        (found,) = self._prepare([(question, answer)], many=False)
        if isinstance(found, CoachError):
            raise found
        return found

    def prepare_many(self, answers: Sequence[tuple[Asked, str]]) -> list[Prepared | CoachError]:
        """`prepare` for many answers with one call of the encoder; what cannot be graded gives its error in its place.

        Raises:
            InputError: the encoder's precision that the settings name is not to be had.
        """
        return self._prepare(answers, many=True)

    def _prepare(self, answers: Sequence[tuple[Asked, str]], *, many: bool) -> list[Prepared | CoachError]:
        drafts = [self._draft(question, answer) for question, answer in answers]
        match: Match = partial(self._match, many=many)
        if many and self.matching is not None:
            match = partial(self.matching, match)
        matched = iter(match([d for d in drafts if isinstance(d, Prepared) and not d.decided]))
        return [d if isinstance(d, CoachError) or d.decided else _screened(next(matched)) for d in drafts]

    def ready(self, asked: Asked) -> Ready:
        """A question with its points, rubric and fingerprint; the last ones asked for are kept.

        Raises:
            InputError: the bank has no such question, or the one brought along is blank.
        """
        # A question with weights holds a dict and cannot be a key; its JSON can.
        return self._own(asked.model_dump_json()) if isinstance(asked, Question) else self._ready(asked)

    @property
    def embedder_name(self) -> str:
        """Names encoder, weights and precision for many answers.

        Raises:
            InputError: the precision that the settings name is not to be had.
        """
        if self._embedder is not None:
            return self._embedder.name
        from coach.embed import OnnxEmbedder
        from coach.precision import is_fp32

        # A run that finds all its grades again needs no encoder.
        return OnnxEmbedder.name if is_fp32(self.settings.precision, many=True) else self._encoder(many=True).name

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

    def _make_ready(self, asked: Asked) -> Ready:
        match asked:
            case str():
                found = self.bank.question(asked)
            case Brought():
                found = brought_question(asked.question, asked.reference, asked.points)
            case _:
                found = asked
        if not found.points:
            found = with_points(found, [s.text for s in segment(found.reference)])
        rubric = self.bank.rubric(found)
        return Ready(found, rubric, rubric_fingerprint(found, rubric, (*CONSTANTS, GRADED_AS)))

    def _draft(self, asked: Asked, answer: str) -> Prepared | CoachError:
        """Everything that needs no vectors."""
        try:
            ready = self.ready(asked)
            text, warnings = clean_answer(answer)
        except CoachError as error:
            return error
        segments = segment(text)
        nothing = _NOTHING_MATCHED._replace(points=tuple(PointMatch(p, ()) for p in ready.question.points))
        findings = screen_text(text, ready.question, segments)
        task = JudgeTask(ready.question, ready.rubric, text, segments, nothing, findings)
        return Prepared(task, warnings, ready.fingerprint)

    def _match(self, drafts: Sequence[Prepared], *, many: bool) -> Iterator[Prepared]:
        if not drafts:
            return
        from coach.match import match_vectors

        texts = [[*(s.text for s in d.task.segments), d.task.answer] for d in drafts]
        encoder = self._encoder(many=many)
        vectors = encoder.encode([t for own in texts for t in own])
        start = 0
        for draft, own in zip(drafts, texts, strict=True):
            rows = vectors[start : start + len(own)]
            start += len(own)
            task = draft.task
            expert = self._vectors(
                (*(p.text for p in task.question.points), task.question.reference, task.question.question), many
            )
            matches = match_vectors(task.question, task.segments, rows[:-1], rows[-1:], expert)
            yield draft._replace(task=task._replace(matches=matches), encoder=encoder.name)

    def _load_vectors(self, texts: tuple[str, ...], many: bool) -> QuestionVectors:
        from coach.match import expert_vectors

        return expert_vectors(texts, self._encoder(many=many), self.settings.cache_dir)

    def _encoder(self, *, many: bool) -> Embedder:
        if self._embedder is not None:
            return self._embedder
        from coach.precision import make_encoder

        with self._loading:
            if many not in self._encoders:
                made = make_encoder(self.settings.precision, self.settings.cache_dir, many=many)
                # One object where both come out alike: it holds the weights.
                self._encoders[many] = next((e for e in self._encoders.values() if e.name == made.name), made)
        return self._encoders[many]

    def _report(self, id: str, prepared: Prepared, judgement: Judgement) -> FeedbackReport:
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

    def _judge_info(self) -> JudgeInfo:
        return JudgeInfo(kind=self.judge.kind, name=self.judge.name, model=self.judge.model)


def _error_report(error: CoachError) -> ErrorReport:
    return ErrorReport(kind=type(error).__name__, message=error.message, hint=error.hint)


def _screened(prepared: Prepared) -> Prepared:
    task = prepared.task
    if any(f.check == "other_language" for f in task.findings):
        # The encoder reads English; how close another language comes to the question says nothing.
        return prepared
    found = screen_matches(task.matches, task.question, task.segments)
    return prepared._replace(task=task._replace(findings=task.findings + found))


def brought_question(
    question: str, reference: str, points: Sequence[str] | None = None, *, where: str = "the question"
) -> Question:
    """A question without a bank; its points are cut from the reference when none are given.

    Raises:
        InputError: the question or the reference is blank, or a text holds half of a surrogate pair.
    """
    if not question.strip() or not reference.strip():
        raise InputError(f"{where}: `question` and `reference` must both have text")
    try:
        found = Question(question=question, reference=reference)
        return found if points is None else with_points(found, points)
    except ValidationError:
        raise InputError(f"{where}: `question`, `reference` and `points` must be text that UTF-8 can hold") from None
