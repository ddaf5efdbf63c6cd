"""Answers put under another question for the decision to learn from."""

from __future__ import annotations

import pytest
from fakes import HashEmbedder

from coach.bank import load_bank
from coach.evaluation.labels import Labelled
from evals.training.swapped import MARK, SHARE, block_of, swapped_rows

LEVELS: dict[str, int | None] = {"tradeoffs": 3, "communication": 4}


def labelled(number: int, question_id: str) -> Labelled:
    return Labelled(
        f"{question_id}-{number}", question_id, "An answer.", 5, LEVELS, frozenset(), frozenset({1}), "twin"
    )


@pytest.fixture(scope="module")
def rows() -> list[Labelled]:
    return [labelled(n, f"q{q:02}") for q in range(1, 26) for n in range(4)]


@pytest.fixture(scope="module")
def swapped(rows: list[Labelled]) -> list[Labelled]:
    bank = load_bank()
    return swapped_rows(rows, [bank.question(r.question_id) for r in rows], HashEmbedder())


def test_a_share_of_the_answers_is_put_under_another_question(rows: list[Labelled], swapped: list[Labelled]) -> None:
    own = {r.id: r.question_id for r in rows}
    assert len(swapped) == round(SHARE * len(rows))
    assert all(r.question_id != own[r.id.removesuffix(MARK)] for r in swapped)


def test_an_answer_stays_in_the_block_of_its_own_question(rows: list[Labelled], swapped: list[Labelled]) -> None:
    own = {r.id: r.question_id for r in rows}
    assert all(block_of(own[r.id.removesuffix(MARK)]) == block_of(r.group) for r in swapped)


def test_such_an_answer_is_labelled_off_topic(swapped: list[Labelled]) -> None:
    assert {(r.overall, r.red_flags, r.covered) for r in swapped} == {(1, frozenset({"off_topic"}), frozenset())}


def test_how_well_it_is_told_stays_as_it_was(swapped: list[Labelled]) -> None:
    assert all(r.criteria == {"tradeoffs": 0, "communication": 4} for r in swapped)
