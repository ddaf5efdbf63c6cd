"""What comes before the judge, of one answer or many at once: clean, segment, screen, embed, match."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, NamedTuple

from coach.answer import clean_answer
from coach.asked import QUESTIONS_KEPT, Asked, Questions
from coach.errors import CoachError
from coach.models import JudgeTask, Landmarks, Matches, PointMatch
from coach.screen import screen_matches, screen_text
from coach.segment import segment
from coach.settings import Settings

if TYPE_CHECKING:
    from coach.embed import Embedder
    from coach.match import QuestionVectors

_NOTHING_MATCHED = Matches(points=(), landmarks=Landmarks(), similarity=0.0, topicality=0.0)


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


class Preparer:
    """Makes of answers what a judge is given. May be shared by threads.

    Args:
        questions: what the answers are to.
        settings: precision of the encoder, and where vectors are kept.
        embedder: any object that keeps the `Embedder` protocol; when not given, the shipped encoder, loaded at first use, for
            many answers in the precision that the settings and the processor make of it.

    Attributes:
        matching: does the matching of `prepare_many`, given what does it without; None leaves it to that.
    """

    def __init__(self, questions: Questions, settings: Settings, embedder: Embedder | None = None) -> None:
        self.matching: Callable[[Match, Sequence[Prepared]], Iterable[Prepared]] | None = None
        self._questions, self._settings, self._embedder = questions, settings, embedder
        self._encoders: dict[bool, Embedder] = {}
        self._loading = threading.Lock()
        self._vectors = lru_cache(QUESTIONS_KEPT)(self._load_vectors)

    def prepare(self, question: Asked, answer: str) -> Prepared:
        """All that comes before a judge.

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
        return OnnxEmbedder.name if is_fp32(self._settings.precision, many=True) else self._encoder(many=True).name

    def _prepare(self, answers: Sequence[tuple[Asked, str]], *, many: bool) -> list[Prepared | CoachError]:
        drafts = [self._draft(question, answer) for question, answer in answers]
        match: Match = partial(self._match, many=many)
        if many and self.matching is not None:
            match = partial(self.matching, match)
        matched = iter(match([d for d in drafts if isinstance(d, Prepared) and not d.decided]))
        return [d if isinstance(d, CoachError) or d.decided else _screened(next(matched)) for d in drafts]

    def _draft(self, asked: Asked, answer: str) -> Prepared | CoachError:
        """Everything that needs no vectors."""
        try:
            ready = self._questions.ready(asked)
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

        return expert_vectors(texts, self._encoder(many=many), self._settings.cache_dir)

    def _encoder(self, *, many: bool) -> Embedder:
        if self._embedder is not None:
            return self._embedder
        from coach.precision import make_encoder

        with self._loading:
            if many not in self._encoders:
                made = make_encoder(self._settings.precision, self._settings.cache_dir, many=many)
                # One object where both come out alike: it holds the weights.
                self._encoders[many] = next((e for e in self._encoders.values() if e.name == made.name), made)
        return self._encoders[many]


def _screened(prepared: Prepared) -> Prepared:
    task = prepared.task
    if any(f.check == "other_language" for f in task.findings):
        # The encoder reads English; how close another language comes to the question says nothing.
        return prepared
    found = screen_matches(task.matches, task.question, task.segments)
    return prepared._replace(task=task._replace(findings=task.findings + found))
