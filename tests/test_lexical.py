"""Words of texts."""

from __future__ import annotations

from coach.lexical import shorten


def test_a_long_quote_is_cut_at_a_word() -> None:
    assert shorten("one two three", 9) == "one two …"


def test_a_quote_is_told_on_one_line() -> None:
    assert shorten("one\n two", 9) == "one two"
