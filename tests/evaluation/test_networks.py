"""What the network is taught, and what the card says it has seen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coach.evaluation.labels import Labelled
from coach.judges.cross_encoder import TARGETS
from coach.judges.decision import CARD, answer_key, trained_on
from evals.training.networks import _write_down, seen_by_the_network, shared


def labelled(id: str, answer: str, *, topic: str = "") -> Labelled:
    levels: dict[str, int | None] = dict.fromkeys(TARGETS[1:], 1)
    row = Labelled(id, "" if topic else "q01", answer, 1, levels, frozenset(), frozenset(), None)
    return row._replace(topic=topic, question="Why?", reference="Because it is so.") if topic else row


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    card = {
        "network": {"answers": [answer_key("old")]},
        "decision": {"answers": [answer_key("held")]},
        "what": "a judge",
    }
    (tmp_path / CARD).write_text(json.dumps(card), encoding="utf-8")
    return tmp_path


def test_an_answer_that_is_held_out_must_not_be_learned() -> None:
    assert shared([labelled("a", "the same"), labelled("b", "other")], [labelled("c", "the same")]) == ["a"]


def test_nor_an_answer_to_a_question_brought_along_that_is_held_out() -> None:
    assert shared([labelled("a", "one", topic="t")], [labelled("b", "two", topic="t")]) == ["a"]


def test_other_answers_to_the_banks_questions_may_be_learned() -> None:
    assert shared([labelled("a", "one")], [labelled("b", "two")]) == []


def test_what_the_network_has_seen_stays_on_the_card(folder: Path) -> None:
    _write_down(seen_by_the_network(folder) | {answer_key("new")}, folder)
    assert seen_by_the_network(folder) == {answer_key("old"), answer_key("new")}


def test_the_rest_of_the_card_stays_as_it_is(folder: Path) -> None:
    _write_down(set(), folder)
    assert json.loads((folder / CARD).read_text(encoding="utf-8"))["what"] == "a judge"


@pytest.mark.parametrize(("answer", "known"), [("old", True), ("held", True), ("never seen", False)])
def test_answers_the_weights_were_trained_on_are_known(folder: Path, answer: str, known: bool) -> None:
    assert trained_on([answer], folder) == known
