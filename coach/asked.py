"""What is asked: a question of the bank, or one brought along, made ready once for all its answers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from pydantic import ValidationError

from coach.answer import plain_apostrophes
from coach.bank import QuestionBank, with_points
from coach.errors import InputError
from coach.fingerprints import rubric_fingerprint
from coach.models import Question, Rubric
from coach.scoring import CONSTANTS
from coach.segment import segment

QUESTIONS_KEPT = 1024
"""Questions kept ready with rubric and vectors, some tens of kilobytes each."""
GRADED_AS = 3
"""Raised when screening, matching or the search for quotes changes what an answer comes to: no journal then hands out grades
from before, and no fingerprint calls two such grades alike."""


class Brought(NamedTuple):
    """A question that a row brings along. Its points are cut from the reference where it names none."""

    question: str
    reference: str
    points: tuple[str, ...] | None = None


Asked = str | Brought | Question
"""An id of the bank, or a question brought along."""


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


class Ready(NamedTuple):
    """A question with all that does not depend on the answer."""

    question: Question
    rubric: Rubric
    fingerprint: str
    """Digest of question, rubric and scoring."""


class Questions:
    """Questions made ready as they are asked for; may be shared by threads.

    Args:
        bank: for questions asked by id, and for rubrics.
    """

    def __init__(self, bank: QuestionBank) -> None:
        self._bank = bank
        self._ready = lru_cache(QUESTIONS_KEPT)(self._make_ready)
        self._own = lru_cache(QUESTIONS_KEPT)(lambda json: self._make_ready(Question.model_validate_json(json)))

    def ready(self, asked: Asked) -> Ready:
        """A question with its points, rubric and fingerprint; the last ones asked for are kept.

        Raises:
            InputError: the bank has no such question, or the one brought along is blank.
        """
        # A question with weights holds a dict and cannot be a key; its JSON can.
        return self._own(asked.model_dump_json()) if isinstance(asked, Question) else self._ready(asked)

    def _make_ready(self, asked: Asked) -> Ready:
        match asked:
            case str():
                found = self._bank.question(asked)
            case Brought():
                found = brought_question(asked.question, asked.reference, asked.points)
            case _:
                found = asked
        # An answer is read with plain ones too, and both must read alike.
        found = Question.model_validate_json(plain_apostrophes(found.model_dump_json()))
        if not found.points:
            found = with_points(found, [s.text for s in segment(found.reference)])
        rubric = self._bank.rubric(found)
        return Ready(found, rubric, rubric_fingerprint(found, rubric, (*CONSTANTS, GRADED_AS)))
