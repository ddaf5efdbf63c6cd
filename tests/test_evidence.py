from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coach.evidence import locate, merge_spans, verify
from coach.judgement import Evidence
from coach.models import Span

ANSWER = "He said “it’s   *not* the model” — really, and the metrics matter more than NDCG."


def found(quote: str, text: str = ANSWER) -> str | None:
    span = locate(quote, text)
    return text[span.start : span.end] if span else None


def test_a_quote_to_the_letter_is_found() -> None:
    assert found("the metrics matter") == "the metrics matter"


def test_straight_quotes_dashes_case_and_space_are_folded() -> None:
    assert found("It's not the MODEL\" - really") == "it’s   *not* the model” — really"


@pytest.mark.parametrize("said", ["le coût très élevé", "사용자의 목표를 먼저 묻습니다"])
def test_an_accent_of_its_own_is_the_same_letter(said: str) -> None:
    apart = unicodedata.normalize("NFD", said)
    assert (found(said, f"Oui, {apart}."), found(apart, f"Oui, {said}.")) == (apart, said)


def test_a_slip_of_a_letter_is_forgiven_and_whole_words_shown() -> None:
    assert found("metrics mater more than NDCG") == "metrics matter more than NDCG"


def test_another_word_is_not_forgiven() -> None:
    assert found("the metrics matter less than AUC") is None


def test_invented_words_are_not_found() -> None:
    assert found("something else entirely here") is None


def test_a_single_short_word_is_no_evidence() -> None:
    assert found("the") is None


def test_a_single_word_is_evidence_where_the_answer_is_one() -> None:
    assert found("Saves.", "Saves.") == "Saves."


def test_the_longer_side_of_an_ellipsis_is_found() -> None:
    assert found("He said ... metrics matter more than NDCG") == "metrics matter more than NDCG"


def test_a_shown_invisible_character_is_passed_over() -> None:
    assert found("the ⟨U+200B⟩metrics matter") == "the metrics matter"


@pytest.mark.parametrize("quote", ["", " ", "...", "\"'", "⟨U+200B⟩"])
def test_an_empty_quote_is_not_found(quote: str) -> None:
    assert found(quote) is None


def test_verified_evidence_carries_the_answers_own_words() -> None:
    assert verify(Evidence(quote="THE METRICS matter"), ANSWER) == Evidence(
        quote="the metrics matter", start=47, end=65
    )


def test_unverified_evidence_has_no_offsets() -> None:
    assert verify(Evidence(quote="never said this", start=0, end=5), ANSWER) == Evidence(quote="never said this")


def test_spans_that_touch_are_merged() -> None:
    assert merge_spans([Span(5, 9), Span(0, 3), Span(3, 4), Span(6, 7)]) == (Span(0, 4), Span(5, 9))


WORDS = st.lists(st.sampled_from(["Goal", "the", "“users”", "don’t", "click —", "3.5", "naïve", "ﬁt"]), min_size=4)


@given(WORDS, st.data())
def test_any_stretch_of_words_verifies_to_itself(said: list[str], data: st.DataObject) -> None:
    text = " ".join(said)
    start = data.draw(st.integers(0, len(said) - 3))
    quote = " ".join(said[start : start + 3])
    span = locate(quote, text)
    assert span is not None
    assert text[span.start : span.end] == quote.strip("“”")  # quotation marks at the ends are dropped


@given(WORDS)
def test_a_folded_stretch_verifies(said: list[str]) -> None:
    text = "  ".join(said)
    folded = " ".join(said).upper().replace("’", "'").replace("—", "-")
    assert locate(folded, text) is not None


@given(st.text(max_size=80), st.text(max_size=200))
def test_any_quote_and_text_give_a_slice_or_nothing(quote: str, text: str) -> None:
    span = locate(quote, text)
    assert span is None or 0 <= span.start < span.end <= len(text)
