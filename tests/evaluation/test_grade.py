"""Labelled answers beside the reports made of them."""

from __future__ import annotations

from builders import report

from coach.bank import load_bank
from coach.evaluation.grade import beside_label
from coach.evaluation.labels import Labelled

LABELS = frozenset({"hype", "no_monitoring"})


def label(**given: str) -> Labelled:
    return Labelled("a", given.get("question_id", ""), "An answer.", 2, {}, LABELS, None, None, **BROUGHT)


BROUGHT = {"question": "When does a cache pay?", "reference": "When reads repeat."}


def test_a_flag_that_a_question_brought_along_is_not_asked_about_is_nobodys_miss() -> None:
    assert beside_label(label(), report(), load_bank()).label.red_flags == {"hype"}


def test_a_question_of_the_bank_is_asked_about_every_flag() -> None:
    assert beside_label(label(question_id="q01"), report(), load_bank()).label.red_flags == LABELS
