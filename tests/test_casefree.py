"""Patterns that mind no case."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coach.address_patterns import PATTERNS as ADDRESSES
from coach.casefree import CaseFree
from coach.landmarks import _PATTERNS as LANDMARKS


@given(st.text(st.sampled_from("aAbBkKsS .-\n\u212a\u017fÄ"), max_size=30))
def test_it_finds_what_a_pattern_that_ignores_case_finds(text: str) -> None:
    pattern = r"\b(?:ab|k)s?\b[^.\n]{0,3}-"
    assert list(CaseFree(pattern).spans(text)) == [m.span() for m in re.finditer(pattern, text, re.IGNORECASE)]


@pytest.mark.parametrize("found", [*(p.regex for p in ADDRESSES), *LANDMARKS.values()])
def test_all_patterns_are_written_in_small_letters(found: CaseFree) -> None:
    letters = re.sub(r"\\.", "", found.pattern)
    assert letters == letters.lower()
