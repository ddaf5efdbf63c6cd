"""Answer text to segments with character offsets: sentences, bullets, headings, code.

   "# Plan\\n- first, ask why\\n\\nIt depends. See 3.5!"
-> heading "Plan" · bullet "first, ask why" · sentence "It depends." · sentence "See 3.5!"
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from coach.models import Segment

MAX_WORDS = 45
"""A longer sentence is cut at a clause boundary: the encoder's vector of a long run-on says little about its parts."""
MIN_CLAUSE_WORDS = 6
MAX_UNSPACED = 400
"""Characters after which a stretch without any boundary is cut anywhere."""

_LINE = re.compile(r"[^\n]+")
_FENCE = re.compile(r"^[ \t]{0,3}(`{3,}|~{3,})", re.MULTILINE)
_HEADING = re.compile(r"[ \t]{0,3}#{1,6}[ \t]+")
_BULLET = re.compile(r"[ \t]*(?:[-*+•‣◦–—]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])[ \t]+")
_QUOTE = re.compile(r"[ \t]*(?:>[ \t]?)+")
_END = re.compile(r"[.!?…]+[\"'”’)\]»*_]*(?=\s|$)|[。！？｡؟।۔︒]+[」』”’）]*")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|resp|dr|mr|mrs|ms|prof|fig|eq|no|al|st)|\b[A-Za-z])\.$", re.IGNORECASE
)
_CLAUSE = re.compile(
    r"[;:]\s+|\s[–—-]\s|,\s+(?=(?:and|but|because|so|which|while|whereas|then|or|if|since|although)\b)"
)
_COMMA = re.compile(r"[,，、；]\s*")


def segment(text: str) -> tuple[Segment, ...]:
    """Cut a text into segments, in order, without overlap; each is a slice of the text, none is blank.

    Args:
        text: any text; linear in its length.
    """
    found: list[Segment] = []
    for start, end, code in _blocks(text):
        if code:
            found += _slice(text, start, end, "code")
        else:
            for line in _LINE.finditer(text, start, end):
                found += _line(text, line.start(), line.end())
    return tuple(found)


def _blocks(text: str) -> Iterator[tuple[int, int, bool]]:
    """Stretches outside and inside of code fences; an open fence runs to the end."""
    position = 0
    fences = iter(_FENCE.finditer(text))
    for opening in fences:
        if opening.start() < position:
            continue
        closing = next((f for f in fences if f[1][0] == opening[1][0] and len(f[1]) >= len(opening[1])), None)
        end = len(text) if closing is None else closing.end()
        yield position, opening.start(), False
        yield opening.start(), end, True
        position = end
    yield position, len(text), False


def _line(text: str, start: int, end: int) -> Iterator[Segment]:
    quote = _QUOTE.match(text, start, end)
    start = quote.end() if quote else start
    if heading := _HEADING.match(text, start, end):
        yield from _slice(text, heading.end(), end, "heading")
        return
    bullet = _BULLET.match(text, start, end)
    kind = "bullet" if bullet else "sentence"
    for s, e in _sentences(text, bullet.end() if bullet else start, end):
        for piece_start, piece_end in _clauses(text, s, e):
            yield from _slice(text, piece_start, piece_end, kind)


def _slice(text: str, start: int, end: int, kind: str) -> Iterator[Segment]:
    """The stretch without surrounding white space, if anything is left."""
    stretch = text[start:end]
    core = stretch.strip()
    if any(c.isalnum() for c in core) or (core and kind == "code") or _has_symbol(core):
        start += len(stretch) - len(stretch.lstrip())
        yield Segment(start, start + len(core), core, kind)  # type: ignore[arg-type]


def _has_symbol(core: str) -> bool:
    """Emoji and the like are words of a sort; rows of dashes are not."""
    return any(ord(c) > 0x2BFF for c in core)


def _sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    position = start
    for stop in _END.finditer(text, start, end):
        if text[stop.start()] == "." and _ABBREVIATION.search(text, max(position, stop.start() - 12), stop.start() + 1):
            continue
        yield position, stop.end()
        position = stop.end()
    if position < end:
        yield position, end


def _clauses(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A sentence of more than MAX_WORDS words in pieces at clause boundaries, else as it is."""
    position = start
    while _long(text, position, end):
        cut = _cut(text, position, end)
        yield position, cut
        position = cut
    yield position, end


def _long(text: str, start: int, end: int) -> bool:
    return end - start > MAX_UNSPACED or (end - start > MAX_WORDS and text.count(" ", start, end) >= MAX_WORDS)


def _cut(text: str, start: int, end: int) -> int:
    """Where to end the first piece: the last good boundary within reach, else the last space, else anywhere."""
    reach = _reach(text, start, end)
    least = start + 3 * MIN_CLAUSE_WORDS
    for pattern in (_CLAUSE, _COMMA):
        boundaries = [m.end() for m in pattern.finditer(text, least, reach)]
        if boundaries:
            return boundaries[-1]
    space = text.rfind(" ", least, reach)
    return space + 1 if space > 0 else reach


def _reach(text: str, start: int, end: int) -> int:
    position = start
    for _ in range(MAX_WORDS):
        following = text.find(" ", position + 1, min(end, start + MAX_UNSPACED))
        if following < 0:
            return min(end, start + MAX_UNSPACED)
        position = following
    return position
