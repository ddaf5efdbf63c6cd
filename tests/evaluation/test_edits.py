from __future__ import annotations

from pathlib import Path

import pytest

from coach.addressed import addressed_spans
from coach.evaluation.edits import FILLER, INSTRUCTIONS, append_instruction, pad, remove, reorder, reword
from coach.evaluation.labels import load_labelled
from coach.models import Span

ROOT = Path(__file__).parent.parent.parent
ANSWERS = [r.answer for r in load_labelled(ROOT / "evals" / "answers" / "part-4.jsonl")]
PLAIN = "I would start small. We do not know the users. Clicks mislead. Saves last longer. The rest can wait."


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("I would wait.", "I'd wait."),
        ("I'd wait.", "I would wait."),
        ("We DO NOT know.", "We Don't know."),
        ("It's fine because we optimize.", "It is fine since we optimise."),
        ("Personalisation, for example.", "Personalization, for instance."),
        ("One thing holds. The second does not.", "One thing holds. the second doesn't."),
        ("Ship it. Pinterest decides. Then wait. NDCG rose.", "Ship it. Pinterest decides. Then wait. NDCG rose."),
    ],
)
def test_rewording_swaps_words_and_keeps_names(before: str, after: str) -> None:
    assert (reword(before) or before) == after


def test_rewording_leaves_no_word_of_substance_out() -> None:
    import re

    def substance(text: str) -> list[str]:
        return [w for w in re.findall(r"[a-z]{8,}|\d+", text.lower()) if not re.search(r"[iy][sz]|our|for|frequent", w)]

    for answer in ANSWERS:
        changed = reword(answer)
        if changed:
            assert abs(len(substance(changed)) - len(substance(answer))) <= 3


def test_padding_keeps_every_word_and_adds_filler_only() -> None:
    padded = pad(PLAIN)
    assert padded is not None
    rest = padded
    for sentence in FILLER:
        assert sentence in rest
        rest = rest.replace(sentence, "")
    assert rest.split() == PLAIN.split()


def test_a_padded_list_stays_a_list() -> None:
    padded = pad("- first, ask why\n- then measure")
    assert padded is not None
    assert "\n- first, ask why\n- then measure\n" in padded


def test_neighbouring_sentences_change_places_and_the_first_stays() -> None:
    assert reorder(PLAIN) == (
        "I would start small. Clicks mislead. We do not know the users. The rest can wait. Saves last longer."
    )


def test_a_sentence_that_leans_on_the_one_before_moves_along() -> None:
    text = "I start small. Clicks mislead. That is why saves count. Money is short."
    assert reorder(text) == "I start small. Money is short. Clicks mislead. That is why saves count."


@pytest.mark.parametrize(
    "text", ["One sentence.", "First this. Then that.", "- a point\n- another point\n- a third point"]
)
def test_what_cannot_be_reordered_is_left_out(text: str) -> None:
    assert reorder(text) is None


def test_reordering_keeps_every_word() -> None:
    for answer in ANSWERS:
        assert sorted((reorder(answer) or answer).split()) == sorted(answer.split())


@pytest.mark.parametrize("number", range(len(INSTRUCTIONS)))
def test_every_instruction_is_one(number: int) -> None:
    text = append_instruction(PLAIN, number)
    assert text.startswith(PLAIN)
    assert addressed_spans(text)


def test_filler_addresses_nobody() -> None:
    assert not addressed_spans(" ".join(FILLER))


def test_the_sentences_that_hold_the_evidence_are_taken_out() -> None:
    text = "I would start small and cheap. Clicks mislead us all. Saves last longer than clicks do for anybody."
    start = text.index("mislead")
    assert remove(text, [Span(start, start + 7)]) == (
        "I would start small and cheap. Saves last longer than clicks do for anybody."
    )


def test_nothing_is_taken_out_where_nothing_was_quoted() -> None:
    assert remove(PLAIN, []) is None


def test_an_answer_of_evidence_alone_is_left_out() -> None:
    assert remove("Clicks mislead us all.", [Span(0, 6)]) is None
