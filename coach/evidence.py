"""Every quote a judge gives is looked for in the answer; code decides whether it stands there.

First to the letter, then with case, quotes, dashes and white space folded, then with a few letters off.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from rapidfuzz import fuzz

from coach.judgement import Evidence
from coach.models import Span

FUZZY_THRESHOLD = 92.0
"""Least similarity, 0..100, of a quote and the place it is found at. One slip in a dozen letters passes; another word
in its place mostly does not."""
MIN_FUZZY_CHARS = 16
"""Shorter quotes must match after folding: in a few letters, a changed one can be another word."""
MIN_QUOTE_CHARS = 8
MIN_QUOTE_WORDS = 2
"""A quote needs as many letters or words, unless the answer itself is shorter: "the" is evidence of nothing."""

_FOLDED = str.maketrans(
    {"‘": "'", "’": "'", "‚": "'", "‛": "'", "`": "'", "´": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"'}
    | dict.fromkeys("‐‑‒–—―−", "-")
    | {"…": "..."}
)
_DROPPED = frozenset("*_\u200b\u200c\u200d\u2060\ufeff\u00ad")
"""Markdown emphasis and invisible characters: a model that quotes leaves them out."""
_ESCAPE = re.compile("⟨U\\+[0-9A-F]{4,6}⟩")
"""How the prompt shows an invisible character; a model may copy that."""
_ELLIPSIS = re.compile(r"\s*(?:\[?\.{3,}\]?|…)\s*")
_WORD_REACH = 3
"""Letters the edge of a fuzzy match may be off."""
_EDGES = " \t\n\"'“”‘’«»"


class _Folded(NamedTuple):
    """Folded text, and for every character of it the offset it came from."""

    text: str
    origins: tuple[int, ...]


def verify(evidence: Evidence, text: str) -> Evidence:
    """The quote as it stands in the answer with its offsets, or without offsets if it does not stand there."""
    span = locate(evidence.quote, text)
    if span is None:
        return Evidence(quote=evidence.quote)
    return Evidence(quote=text[span.start : span.end], start=span.start, end=span.end)


def locate(quote: str, text: str) -> Span | None:
    """Where a quote stands in the answer.

    Args:
        quote: words as a judge gave them. An ellipsis inside joins two pieces; the longer one is looked for.
        text: the answer.
    """
    wanted = _longest_piece(quote)
    if not wanted or not _long_enough(wanted, text):
        return None
    start = text.find(wanted)
    if start >= 0:
        return Span(start, start + len(wanted))
    return _locate_folded(wanted, text)


def _longest_piece(quote: str) -> str:
    """Of the pieces that ellipses join; empty where there is none."""
    if "⟨" in quote:
        quote = _ESCAPE.sub("", quote)
    quote = quote.strip(_EDGES)
    if "..." in quote or "…" in quote:
        return max(_ELLIPSIS.split(quote), key=len)
    return quote


def _long_enough(quote: str, text: str) -> bool:
    short_answer = len(text.strip()) <= MIN_QUOTE_CHARS
    return short_answer or len(quote) >= MIN_QUOTE_CHARS or len(quote.split()) >= MIN_QUOTE_WORDS


def _locate_folded(quote: str, text: str) -> Span | None:
    haystack, needle = _fold(text), _fold(quote).text.strip()
    if not needle:
        return None
    start = haystack.text.find(needle)
    if start >= 0:
        return _original(haystack, start, start + len(needle), text)
    return _locate_fuzzy(needle, haystack, text)


def _locate_fuzzy(needle: str, haystack: _Folded, text: str) -> Span | None:
    if len(needle) < MIN_FUZZY_CHARS or len(haystack.text) < len(needle):
        return None
    found = fuzz.partial_ratio_alignment(needle, haystack.text, score_cutoff=FUZZY_THRESHOLD)
    if found is None or found.dest_start >= found.dest_end:
        return None
    return _whole_words(_original(haystack, found.dest_start, found.dest_end, text), text)


def _whole_words(span: Span, text: str) -> Span:
    """The span widened to the words it cuts: an alignment a letter off is common, half a word in a report is ugly."""
    start, end = span
    while start > 0 and text[start - 1].isalnum() and text[start].isalnum() and span.start - start < _WORD_REACH:
        start -= 1
    while end < len(text) and text[end].isalnum() and text[end - 1].isalnum() and end - span.end < _WORD_REACH:
        end += 1
    return Span(start, end)


def _fold(text: str) -> _Folded:
    characters: list[str] = []
    origins: list[int] = []
    for offset, original in enumerate(text):
        if original in _DROPPED:
            continue
        # Taken apart, not put together: an accent may be a character of its own in one text and not in the other.
        folded = unicodedata.normalize("NFKD", original).translate(_FOLDED).casefold()
        for character in folded:
            if not character.isspace():
                characters.append(character)
            elif characters and characters[-1] != " ":
                characters.append(" ")
            else:
                continue
            origins.append(offset)
    return _Folded("".join(characters), tuple(origins))


def _original(folded: _Folded, start: int, end: int, text: str) -> Span:
    """The stretch of the answer that a stretch of the folded text came from, without white space at its ends."""
    first, last = folded.origins[start], folded.origins[end - 1] + 1
    while first < last and text[first].isspace():
        first += 1
    while last > first and text[last - 1].isspace():
        last -= 1
    return Span(first, last)


def merge_spans(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans in order, those that overlap or touch made one."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return tuple(merged)
