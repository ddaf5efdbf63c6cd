from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coach.segment import MAX_WORDS, segment


def kinds(text: str) -> list[tuple[str, str]]:
    return [(s.kind, s.text) for s in segment(text)]


def texts(text: str) -> list[str]:
    return [s.text for s in segment(text)]


def test_sentences_end_at_full_stops() -> None:
    assert texts("First the goal. Then a model! Why?") == ["First the goal.", "Then a model!", "Why?"]


def test_offsets_point_into_the_text() -> None:
    found = segment("  One.  Two.")
    assert [(s.start, s.end) for s in found] == [(2, 6), (8, 12)]


@pytest.mark.parametrize(
    "text", ["It depends, e.g. on size.", "Precision is 3.5 here.", "Ask Dr. Lee first.", "See v. 2."]
)
def test_abbreviations_and_numbers_end_no_sentence(text: str) -> None:
    assert texts(text) == [text]


def test_markdown_markers_are_left_out() -> None:
    assert kinds("# Plan\n- first\n2) second\n> quoted") == [
        ("heading", "Plan"),
        ("bullet", "first"),
        ("bullet", "second"),
        ("sentence", "quoted"),
    ]


def test_a_code_fence_is_one_segment() -> None:
    assert kinds("Look:\n```py\nx = 1. \ny = 2\n```\nDone.")[1] == ("code", "```py\nx = 1. \ny = 2\n```")


def test_an_open_fence_runs_to_the_end() -> None:
    assert kinds("a b\n```\nx. y.") == [("sentence", "a b"), ("code", "```\nx. y.")]


def test_full_stops_of_other_scripts_end_sentences() -> None:
    assert texts("これは。それ！ यह है। هل هذا؟ نعم") == ["これは。", "それ！", "यह है।", "هل هذا؟", "نعم"]


def test_a_long_run_on_is_cut_at_a_clause() -> None:
    long = "we look at the goal of the page and what people want from it, because " * 4
    assert all(len(t.split()) <= MAX_WORDS for t in texts(long))
    assert texts(long)[0].endswith(",")


def test_a_stretch_without_spaces_is_cut_all_the_same() -> None:
    assert max(map(len, texts("a" * 5000))) <= 400


def test_rows_of_dashes_are_no_segments() -> None:
    assert texts("one\n---\n***\ntwo") == ["one", "two"]


def test_emoji_are_a_segment() -> None:
    assert texts("🙂🙂") == ["🙂🙂"]


@pytest.mark.parametrize("text", ["", " \n ", "...", "- \n- "])
def test_nothing_said_is_no_segment(text: str) -> None:
    assert segment(text) == ()


@given(st.text(alphabet="ab .,;:!?\n-#`>*1)。é", max_size=300))
def test_segments_slice_back_and_never_overlap(text: str) -> None:
    end = 0
    for s in segment(text):
        assert text[s.start : s.end] == s.text
        assert s.start >= end
        assert s.text.strip() == s.text != ""
        end = s.end


@given(st.lists(st.sampled_from(["goal", "model", "users,", "and", "because"]), min_size=1, max_size=200))
def test_no_word_is_lost(said: list[str]) -> None:
    text = " ".join(said)
    assert " ".join(texts(text)).split() == said


def test_a_long_row_of_full_stops_is_looked_at_once() -> None:
    start = time.process_time()
    segment("." * 40_000 + "z")
    assert time.process_time() - start < 1  # second; from each of them anew it takes five
