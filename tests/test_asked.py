"""Questions of the bank and brought along, made ready once."""

from __future__ import annotations

from coach.asked import Brought, Questions
from coach.bank import load_bank
from coach.models import Question

QUESTIONS = Questions(load_bank())


def test_a_question_brought_along_is_read_with_the_answers_apostrophes() -> None:
    own = Question(question="Why doesn’t it scale?", reference="The cache isn’t shared.")
    assert Questions(load_bank()).ready(own).question.reference == "The cache isn't shared."


def test_a_question_is_made_ready_once() -> None:
    assert QUESTIONS.ready(Brought("W?", "R.")) is QUESTIONS.ready(Brought("W?", "R."))


def test_a_question_of_ones_own_is_known_by_its_content() -> None:
    first, second = (Question(question="W?", reference="R.", weights={"tradeoffs": w}) for w in (60.0, 100.0))
    assert QUESTIONS.ready(first).fingerprint != QUESTIONS.ready(second).fingerprint
