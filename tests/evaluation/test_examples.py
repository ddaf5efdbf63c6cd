"""What training makes of labels."""

from __future__ import annotations

from typing import Any

from coach.bank import load_bank
from coach.evaluation.labels import Labelled
from coach.judges.cross_encoder import TARGETS
from evals.training.examples import Example, answers_digest, examples_of

ANSWER = "I would first ask what the page is for, and then weigh two models against it."


def labelled(*flags: str, covered: frozenset[int] | None = frozenset()) -> Labelled:
    levels: dict[str, int | None] = dict.fromkeys(TARGETS[1:], 1)
    return Labelled("a", "q01", ANSWER, 1, levels, frozenset(flags), covered, None)


def second(*flags: str) -> dict[str, Any]:
    return {"overall": 2, "criteria": dict.fromkeys(TARGETS[1:], 4), "red_flags": list(flags), "covered": [1]}


def example(row: Labelled, label: dict[str, Any]) -> Example:
    return examples_of([row], [load_bank().question("q01")], {"a": label})[0]


def test_two_labels_are_averaged() -> None:
    assert set(example(labelled(), second()).levels) == {1.5, 2.5}


def test_of_an_answer_that_both_call_off_topic_the_lower_level_counts() -> None:
    levels = dict(zip(TARGETS, example(labelled("off_topic"), second("off_topic")).levels, strict=True))
    assert {levels[c] for c in TARGETS[1:] if c != "communication"} == {1.0}


def test_how_well_an_off_topic_answer_is_told_is_averaged() -> None:
    levels = dict(zip(TARGETS, example(labelled("off_topic"), second("off_topic")).levels, strict=True))
    assert levels["communication"] == 2.5


def test_where_one_label_says_off_topic_both_are_averaged() -> None:
    assert set(example(labelled("off_topic"), second()).levels) == {1.5, 2.5}


def test_points_that_nobody_labelled_are_not_points_that_none_is_made() -> None:
    assert answers_digest([labelled(covered=None)], {}) != answers_digest([labelled()], {})
