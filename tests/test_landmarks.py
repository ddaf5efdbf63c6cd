from __future__ import annotations

import pytest

from coach.landmarks import find_landmarks, model_comes_first
from coach.models import Landmarks
from coach.segment import segment


def marks(text: str) -> Landmarks:
    return find_landmarks(segment(text))


def first(text: str) -> bool:
    return model_comes_first(marks(text))


def test_the_words_themselves_are_marked() -> None:
    text = "We start. A transformer is used."
    span = marks(text).model
    assert span is not None
    assert text[span.start : span.end] == "transformer"


def test_a_technique_before_any_objective_comes_first() -> None:
    assert first("I'd use a two-tower network. The goal is saves.")


def test_an_objective_before_any_technique_does_not() -> None:
    assert not first("The goal is inspiration. Then a two-tower network.")


@pytest.mark.parametrize(
    "opening",
    [
        "Ask what the shop wants people to leave with.",
        "Saves matter more to me than taps.",
        "Somebody should leave with an idea she keeps.",
        "We aim at fewer wasted trips.",
    ],
)
def test_a_purpose_in_everyday_words_is_one(opening: str) -> None:
    assert not first(f"{opening} Then a two-tower network.")


def test_more_data_that_a_model_wants_is_no_purpose() -> None:
    assert first("The transformer wants more data.")


def test_a_constraint_counts_as_framing() -> None:
    assert not first("Latency is 50 ms, so XGBoost.")


@pytest.mark.parametrize(
    "text",
    ["I would not start with a transformer.", "Before any neural network, I ask.", "I'd avoid deep learning here."],
)
def test_a_technique_named_to_be_put_off_is_none(text: str) -> None:
    assert marks(text).model is None


def test_the_questions_own_words_are_no_technique() -> None:
    assert marks("For a recommendation model at this company I would wait.").model is None


def test_nothing_said_has_no_landmarks() -> None:
    assert marks("") == Landmarks()
